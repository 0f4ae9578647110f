"""Log-likelihood by 1,000 importance samples: isthmus against pythae's `get_nll`.

Both hold an untrained VAE of the same size (784-512-16, Bernoulli) and take turns, a stretch each
per round. pythae takes one datum at a time and runs its encoder for every sample; the decoder's
matrix products, 0.8 GFLOP a datum, are the same for everybody.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring import Contender, finish, need_python, parsed, ratios, shown, spread, table
from throughput import CLOCKS, write_data

TARGET = 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythae-python", metavar="PYTHON", help="of an environment with pythae")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument(
        "--rows", type=int, default=128, help="data per stretch; pythae gets a tenth"
    )
    parser.add_argument("--rounds", type=int, default=7)
    return parsed(parser, rows=20, rounds=2, samples=200)


def contest(options: argparse.Namespace, path: Path, threads: int) -> dict[str, Any]:
    """The answers of each contender, round by round."""
    with ExitStack() as stack:

        def enter(python: str, script: str, rows: int, *more: object) -> Contender:
            common = (threads, path, rows, options.samples, threads)
            return stack.enter_context(Contender(python, script, *common, *more))

        contenders = {"isthmus": enter(sys.executable, "nll_isthmus.py", options.rows)}
        if options.pythae_python:
            python, few = (
                need_python(options.pythae_python, "requirements-pythae.txt"),
                options.rows // 10,
            )
            contenders["pythae"] = enter(python, "nll_pythae.py", few, 1)
            contenders["pythae, no_grad"] = enter(python, "nll_pythae.py", few, 0)
        answers: dict[str, Any] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, contender in contenders.items():
                answers[name].append(contender.measure())
    return answers


def main() -> None:
    options = arguments()
    results, rows, compared = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npy"
        write_data(path, max(options.rows, 256))
        for threads in options.threads:
            answers = contest(options, path, threads)
            speeds = {
                name: {clock: [1 / a[clock] for a in found] for clock in CLOCKS}
                for name, found in answers.items()
            }
            results.append({"threads": threads, "answers": answers})
            for name, found in answers.items():
                peak = max(a["peak_mib"] for a in found)
                shares = [shown(spread(speeds[name][clock]), 1) for clock in CLOCKS]
                rows.append((threads, name, *shares, f"{peak:,.0f}"))
                if name != "isthmus":
                    found = [
                        shown(ratios(speeds["isthmus"][clock], speeds[name][clock]), 1)
                        for clock in CLOCKS
                    ]
                    compared.append((threads, f"isthmus / {name}", *found, f"≥ {TARGET}"))
    clocks = CLOCKS.values()
    head = ["threads", "data per second, median (min–max)", *clocks, "peak memory, MiB"]
    text = table(head, rows)
    text += "\n\n" + table(["threads", "ratio", *clocks, "target"], compared)
    values = {"samples": options.samples, "rounds": options.rounds, "results": results}
    finish("likelihood", text, values, options.quick)


if __name__ == "__main__":
    main()
