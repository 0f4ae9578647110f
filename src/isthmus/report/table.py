"""The table of figures: values with errors, the best of each column, why some are missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from isthmus.evaluation import COLUMNS, MEASURES, Column, ModelResult
from isthmus.evaluation.kinds import apart
from isthmus.evaluation.measures.tables import ORDER, OVERVIEW
from isthmus.report.looks import BASELINE, Look
from isthmus.report.words import fixed, uncertainty

# Columns of one table, at most.
MOST_COLUMNS = 10
ARROWS = {1: "↑", -1: "↓", 0: ""}
DIRECTIONS = {1: "More is better.", -1: "Less is better.", 0: ""}
UNKNOWN = "It was not measured."
MISSING = "–"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@final
@dataclass(frozen=True)
class Heading:
    """A column's heading; `help` says how to read it."""

    title: str
    unit: str
    arrow: str
    help: str


@final
@dataclass(frozen=True)
class Cell:
    """One value as shown.

    A missing one, and one that must not be compared, has a reason and the letter of its footnote.
    """

    value: str
    error: str = ""
    best: bool = False
    why: str = ""
    letter: str = ""


@final
@dataclass(frozen=True)
class Row:
    """One model's cells in the order of the headings."""

    label: str
    latent_dim: int
    look: Look
    cells: tuple[Cell, ...]


@final
@dataclass(frozen=True)
class Table:
    """Headings, rows by group, and footnotes as (letter, text)."""

    headings: tuple[Heading, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    footnotes: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int | None:
        """The code size of every row, or None where they differ."""
        sizes = {row.latent_dim for _, rows in self.groups for row in rows}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def empty(self) -> bool:
        """Whether there is no figure to show."""
        return not self.headings


def metric(result: ModelResult, key: str) -> float | None:
    """A metric, or None where it is missing or not a finite number."""
    value = result.metrics.get(key)
    return value if value is not None and math.isfinite(value) else None


def best_of(column: Column, values: Sequence[float | None]) -> set[int]:
    """Indices of the best values, ties at the shown decimals included.

    Returns:
        Nothing where there is nothing to choose: no better direction, fewer than two values, or
        all the same.
    """
    shown = {
        i: round(column.held(value), column.digits) * column.better
        for i, value in enumerate(values)
        if value is not None
    }
    if not column.better or len(shown) < 2 or len(set(shown.values())) < 2:
        return set()
    top = max(shown.values())
    return {i for i, value in shown.items() if value == top}


def build_table(
    results: Sequence[ModelResult], looks: dict[str, Look], offered: Sequence[Column] = COLUMNS
) -> Table:
    """The table of these models, over every column of `offered` that at least one of them has."""
    columns = [c for c in offered if any(metric(r, c.key) is not None for r in results)]
    out = [apart(results, c) for c in columns]
    best = [
        best_of(c, [None if i in others else metric(r, c.key) for i, r in enumerate(results)])
        for c, others in zip(columns, out, strict=True)
    ]
    letters: dict[str, str] = {}
    groups = []
    for name, is_baseline in (("Baselines", True), ("Learned models", False)):
        rows = []
        for i, result in enumerate(results):
            if (result.family == BASELINE) == is_baseline:
                cells = (
                    _cell(result, c, i in top, letters, others.get(i, ""))
                    for c, top, others in zip(columns, best, out, strict=True)
                )
                rows.append(Row(result.label, result.latent_dim, looks[result.label], tuple(cells)))
        if rows:
            groups.append((name, tuple(rows)))
    footnotes = tuple((letter, text) for text, letter in letters.items())
    return Table(tuple(heading(c) for c in columns), tuple(groups), footnotes)


def build_tables(
    results: Sequence[ModelResult], looks: dict[str, Look]
) -> tuple[tuple[str, Table], ...]:
    """The main table, then those of the measures' other headings that have figures.

    One with more columns than fit on paper goes on in another.
    """
    offered: dict[str, list[Column]] = {name: [] for name in ORDER}
    for entry in MEASURES:
        known = offered.setdefault(entry.about["table"], [])
        known += [c for c in entry.about["columns"] if c not in known]
    tables = [(OVERVIEW, build_table(results, looks))]
    for name, columns in offered.items():
        there = [c for c in columns if any(metric(r, c.key) is not None for r in results)]
        if name == OVERVIEW or not there:
            continue
        parts = -(-len(there) // MOST_COLUMNS)
        size = -(-len(there) // parts)
        for i in range(parts):
            part = there[i * size : (i + 1) * size]
            title = f"{name}, continued" if i else name
            tables.append((title, build_table(results, looks, part)))
    return tuple(tables)


def heading(column: Column) -> Heading:
    """A column's heading."""
    said = f"{column.help} {DIRECTIONS[column.better]}".strip()
    unit = "" if column.title.startswith(column.unit) else column.unit
    return Heading(column.title, unit, ARROWS[column.better], said)


def _cell(
    result: ModelResult, column: Column, best: bool, letters: dict[str, str], apart_as: str
) -> Cell:
    value = metric(result, column.key)
    why = apart_as if value is not None else result.why_missing.get(column.key, UNKNOWN)
    letter = letters.setdefault(why, _letter(len(letters))) if why else ""
    if value is None:
        return Cell(MISSING, why=why, letter=letter)
    error = uncertainty(result.errors.get(column.key, math.nan), column.digits)
    return Cell(fixed(value, column.digits), error, best, why, letter)


def _letter(i: int) -> str:
    return (
        LETTERS[i]
        if i < len(LETTERS)
        else f"{LETTERS[i // len(LETTERS) - 1]}{LETTERS[i % len(LETTERS)]}"
    )
