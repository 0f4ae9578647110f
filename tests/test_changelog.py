"""The package's version and the changelog's newest one are the same."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import isthmus

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
NUMBER = r"\d+\.\d+\.\d+"
RELEASES = re.findall(rf"^## \[({NUMBER})\] - (\S+)$", CHANGELOG, re.MULTILINE)
IN_PREPARATION = re.findall(rf"^Version ({NUMBER}), in preparation\.$", CHANGELOG, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_newest_version_is_the_packages() -> None:
    newest_first = [*IN_PREPARATION, *(version for version, _ in RELEASES)]
    assert newest_first[0] == isthmus.__version__
    numbers = [as_numbers(version) for version in newest_first]
    assert numbers == sorted(set(numbers), reverse=True)


def test_at_most_one_version_is_in_preparation() -> None:
    assert len(IN_PREPARATION) <= 1


def test_form() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings == ["[Unreleased]", *(f"[{version}] - {day}" for version, day in RELEASES)]
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS
    for _, day in RELEASES:
        date.fromisoformat(day)


def test_the_build_reads_the_same_version() -> None:
    path = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{isthmus.__version__}"' in (ROOT / path).read_text()
