"""The README's Python runs, its commands and options exist, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINKS = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]


def hurried(code: str) -> str:
    """The same with the least of each budget."""
    return re.sub(r"\b(epochs|samples)=\d+", r"\1=1", code)


def test_there_is_python() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("code", BLOCKS, ids=["scikit-learn", "by-hand"])
def test_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "readme.py"
    script.write_text(hurried(code), encoding="utf-8")
    names = runpy.run_path(str(script))
    assert names["codes"].shape[1] == 8
    assert len(names["log_p"]) in (5, 100)


def test_composing_takes_ten_lines() -> None:
    """From the axes to a trained model."""
    body = BLOCKS[1].split("\n\n")[1].splitlines()
    assert len(body) <= 10
    assert body[-1].startswith("run = im.fit(")


@pytest.mark.parametrize("line", [line for block in SHELL for line in block.splitlines()])
def test_commands_and_options_exist(line: str) -> None:
    import click

    from isthmus.cli.main import cli

    words = line.partition("#")[0].split()
    assert words[0] == "isthmus"
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
