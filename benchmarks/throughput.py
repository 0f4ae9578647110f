"""Training throughput of one VAE (784-512-16, binary data): isthmus, a hand-written loop, pythae.

Each contender is a process of its own; they train in turns, a stretch each per round, so that a
passing load on the machine meets all of them. Ratios are taken round by round, by the wall's clock
and by the processor's, which does not count the time that other programs were given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Contender, finish, need_python, parsed, ratios, shown, spread, table

# A contender's name -> its rival's, the target for the ratio of their throughputs, at which batch.
TARGETS = [
    ("isthmus", "hand-written", {100: 0.95, 512: 0.95}),
    ("isthmus", "pythae", {100: 1.5, 512: 1.4}),
    ("isthmus bfloat16", "pythae", {512: 2.0}),
    ("hand-written", "pythae", {}),
]
CLOCKS = {"wall": "wall clock", "cpu": "processor time"}

# Data per second by each clock, round by round.
Speeds = dict[str, list[float]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythae-python", metavar="PYTHON", help="of an environment with pythae")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--batch", type=int, nargs="+", default=[100, 512])
    parser.add_argument("--rows", type=int, default=10_240)
    parser.add_argument("--epochs", type=int, default=2, help="in each stretch")
    parser.add_argument("--rounds", type=int, default=9)
    return parsed(parser, rows=1024, epochs=1, rounds=2)


def write_data(path: Path, rows: int) -> None:
    """Binary data with some structure: noisy copies of a few hundred random prototypes."""
    rng = np.random.default_rng(0)
    prototypes = rng.random((256, 784)) < 0.2
    x = prototypes[rng.integers(0, 256, rows)] ^ (rng.random((rows, 784)) < 0.05)
    np.save(path, x.astype(np.uint8))


def contest(options: argparse.Namespace, path: Path, batch: int, threads: int) -> dict[str, Speeds]:
    """Data per second of each contender, round by round."""
    common = (threads, path, batch, options.epochs, threads)
    here = sys.executable
    with ExitStack() as stack:

        def enter(python: str, script: str, *more: object) -> Contender:
            return stack.enter_context(Contender(python, script, *common, *more))

        contenders = {
            "hand-written": enter(here, "train_plain.py"),
            "isthmus": enter(here, "train_isthmus.py", "float32"),
            "isthmus bfloat16": enter(here, "train_isthmus.py", "bfloat16"),
        }
        if options.pythae_python:
            python = need_python(options.pythae_python, "requirements-pythae.txt")
            contenders["pythae"] = enter(python, "train_pythae.py")
        speeds: dict[str, Speeds] = {name: {"wall": [], "cpu": []} for name in contenders}
        rows = options.rows // batch * batch
        for turn in range(options.rounds):
            # The order is reversed every other round, so that nobody always follows the same rival.
            for name in list(contenders)[:: 1 if turn % 2 else -1]:
                answer = contenders[name].measure()
                for clock, found in speeds[name].items():
                    found.append(rows / answer[clock])
    return speeds


def main() -> None:
    options = arguments()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npy"
        write_data(path, options.rows)
        for threads in options.threads:
            for batch in options.batch:
                speeds = contest(options, path, batch, threads)
                results.append({"threads": threads, "batch": batch, "data_per_second": speeds})
    rows, compared = [], []
    for result in results:
        speeds, where = result["data_per_second"], (result["threads"], result["batch"])
        rows += [
            (*where, name, *(shown(spread(s[clock]), 0) for clock in CLOCKS))
            for name, s in speeds.items()
        ]
        for ours, theirs, target in TARGETS:
            if theirs in speeds:
                found = [shown(ratios(speeds[ours][c], speeds[theirs][c]), 2) for c in CLOCKS]
                wanted = target.get(result["batch"])
                names = f"{ours} / {theirs}"
                compared.append((*where, names, *found, f"≥ {wanted}" if wanted else ""))
    text = "\n\n".join(
        [
            table(
                ["threads", "batch", "data per second, median (min–max)", *CLOCKS.values()], rows
            ),
            table(["threads", "batch", "ratio", *CLOCKS.values(), "target"], compared),
        ]
    )
    name = "throughput-" + "-".join(map(str, options.threads))
    finish(name, text, {"rounds": options.rounds, "results": results}, options.quick)


if __name__ == "__main__":
    main()
