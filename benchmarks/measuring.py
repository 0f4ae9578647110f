"""What the benchmarks share: contenders in processes of their own, tables, results, the machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
CONTENDERS = HERE / "contenders"


class Contender:
    """A program that measures itself once for every line it is sent, and answers in JSON.

    Args:
        python: The interpreter that runs it.
        script: Its file in `contenders/`.
        threads: CPU threads, set in its environment before it starts.
        arguments: For its command line.
    """

    def __init__(self, python: str, script: str, threads: int, *arguments: object) -> None:
        environment = os.environ | {
            name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        }
        environment["PYTHONPATH"] = str(HERE.parent / "src")
        self._process = subprocess.Popen(
            [python, str(CONTENDERS / script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("BENCHMARK_DEBUG") else None,
            text=True,
            env=environment,
        )
        self._answer()

    def measure(self, job: dict[str, Any] | None = None) -> dict[str, Any]:
        """One measurement, or one job of a contender that takes them."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n" if job is None else json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            command = " ".join(map(str, self._process.args))  # type: ignore[arg-type]
            raise SystemExit(
                f"A contender ended early; BENCHMARK_DEBUG=1 shows what it says: {command}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()


def parsed(parser: argparse.ArgumentParser, **quick: object) -> argparse.Namespace:
    """The options of the command line, those in `quick` replaced in a smoke run."""
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: its figures mean nothing"
    )
    found = parser.parse_args()
    if found.quick:
        vars(found).update(quick)
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The spread of ours / theirs, round by round: what slowed a round slowed both."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def shown(values: dict[str, float], digits: int) -> str:
    """The spread as `median (min–max)`."""
    return (
        f"{values['median']:,.{digits}f} ({values['min']:,.{digits}f}–{values['max']:,.{digits}f})"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table whose columns line up."""
    cells = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """The processor, how many of its cores this machine has, and the versions that count."""
    import torch

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(
            tuple(part.strip() for part in line.split(":", 1))
            for line in cpuinfo.read_text().splitlines()
            if ":" in line
        )
        model = (
            f"{fields.get('model name', model)} "
            f"(family {fields.get('cpu family')}, model {fields.get('model')})"
        )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def finish(name: str, text: str, values: dict[str, Any], quick: bool) -> None:
    """Print the table, and write it with its values; a smoke run writes nothing."""
    command = " ".join(["python", f"benchmarks/{name.split('-')[0]}.py", *_shareable(sys.argv[1:])])
    print(f"\n$ {command}\n\n{text}")
    if quick:
        return
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(
        json.dumps({"command": command, "machine": machine(), **values}, indent=1) + "\n"
    )
    print(f"\nwrote {path.relative_to(HERE.parent)}")


def _shareable(arguments: Sequence[str]) -> list[str]:
    """The command line without this machine's paths."""
    return ["PATH" if argument.startswith("/") else argument for argument in arguments]


def need_python(path: str, requirements: str) -> str:
    """The interpreter of a peer's own environment, or what to do to get one."""
    if not Path(path).exists():
        raise SystemExit(
            f"There is no interpreter {path}. Make one:\n"
            f"  python -m venv PEER && PEER/bin/pip install -r benchmarks/{requirements}\n"
            "and name it: --pythae-python PEER/bin/python"
        )
    return path
