"""The examples run, with little budget, and say what they promise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# The arguments that make it quick, and words of its last lines.
RUNS = {
    "by_hand.py": (["--epochs", "1", "--images", "300"], "position y read off the code"),
    "spoiled_digits.py": (["--epochs", "2"], "the ten least likely"),
    "which_model.py": (["--epochs", "1"], "report: "),
}


def test_every_example_is_run() -> None:
    assert sorted(RUNS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", RUNS)
def test_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, expected = RUNS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("name", RUNS)
def test_says_how_it_is_called(name: str) -> None:
    assert f"python examples/{name}" in (EXAMPLES / name).read_text(encoding="utf-8")
