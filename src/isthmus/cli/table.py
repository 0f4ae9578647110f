"""A comparison in the terminal: the table, as wide as there is room, and the findings in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from isthmus.evaluation import Column, Comparison, ModelResult

MISSING = "–"
# What stands after a value that must not be compared with the others of its column.
MARKS = "†‡§"
# Blanks beside a cell, and at the two edges of the table.
PADDING = 2
# The order in which columns are kept where not all of them fit; without the first few a table says
# little, so that errors give way to them.
BY_IMPORTANCE = (
    "r2",
    "nll",
    "rate",
    "active",
    "sample_auc",
    "probe",
    "seconds",
    "elbo",
    "rmse",
    "outlier_auc",
    "distortion",
    "parameters",
    "bytes",
)
ESSENTIAL = 6


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the main table, the code sizes where they were compared, and the findings."""
    from isthmus.evaluation import COLUMNS

    main = [r for r in comparison.results if r.main]
    filled = [c for c in COLUMNS if any(_is_known(r, c.key) for r in main)]
    shown = fitting(filled, main, console.width)
    essential = sorted(filled, key=_importance)[:ESSENTIAL]
    errors = all(column in shown for column in essential)
    if not errors:
        shown = fitting(filled, main, console.width, errors=False)
    marks = marks_of(shown, main)
    plain = not console.is_terminal
    console.print(_main_table(shown, main, marks, errors=errors, plain=plain))
    for why, mark in marks.items():
        console.print(_wrapped(f"{mark} {why}", console.width), highlight=False, markup=False)
    left_out = [
        *([] if errors else ["the ± of each"]),
        *(c.title for c in filled if c not in shown),
    ]
    if left_out:
        console.print(
            _wrapped(
                f"No room here for {', '.join(left_out)}; metrics.json has all.", console.width
            )
        )
    if any(not r.main for r in comparison.results):
        console.print(_sizes_table(comparison.results))
    for finding in comparison.findings:
        doubt = " (within the noise)" if finding.within_noise else ""
        console.print(f"[bold]{finding.purpose}[/bold]{doubt}", highlight=False)
        console.print(_wrapped(finding.text, console.width, "  "), highlight=False, markup=False)
    _print_pairs(comparison, console)


def cell(result: ModelResult, column: Column, errors: bool = True) -> str:
    """A value ± its error, or a dash."""
    from isthmus.evaluation.figures import figure

    if not _is_known(result, column.key):
        return MISSING
    text = figure(result.metrics[column.key], column.digits)
    error = result.errors.get(column.key, math.nan)
    return f"{text} ±{figure(error, column.digits)}" if errors and math.isfinite(error) else text


def best(results: Sequence[ModelResult], column: Column) -> float | None:
    """The best value as shown, or None where there is none or all are the same."""
    values = {_shown(r, column) for r in results if _is_known(r, column.key)}
    if column.better == 0 or len(values) < 2:
        return None
    return max(values) if column.better > 0 else min(values)


def fitting(
    columns: Iterable[Column], results: Sequence[ModelResult], width: int, errors: bool = True
) -> list[Column]:
    """The most important columns for which there is room, in the table's order."""
    columns = list(columns)
    room = width - max([len("model"), *(len(r.label) for r in results)]) - 2 * PADDING
    kept = set()
    for column in sorted(columns, key=_importance):
        heading = max(map(len, _heading(column).split("\n")))
        needed = max([heading, *(len(cell(r, column, errors)) + 1 for r in results)]) + PADDING
        if needed <= room:
            kept.add(column.key)
            room -= needed
    return [c for c in columns if c.key in kept]


def _importance(column: Column) -> int:
    return BY_IMPORTANCE.index(column.key) if column.key in BY_IMPORTANCE else len(BY_IMPORTANCE)


def _heading(column: Column) -> str:
    lines = column.title.replace(" ", "\n")
    return f"{lines}\n{column.unit}" if column.unit else lines


def _is_known(result: ModelResult, key: str) -> bool:
    return math.isfinite(result.metrics.get(key, math.nan))


def _shown(result: ModelResult, column: Column) -> float:
    return round(column.held(result.metrics[column.key]), column.digits)


def _main_table(
    columns: Sequence[Column],
    results: Sequence[ModelResult],
    marks: dict[str, str],
    errors: bool,
    plain: bool,
) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from isthmus.evaluation.kinds import apart

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for column in columns:
        table.add_column(_heading(column), justify="right", no_wrap=True)
    out = [apart(results, column) for column in columns]
    winners = [
        best([r for i, r in enumerate(results) if i not in others], column)
        for column, others in zip(columns, out, strict=True)
    ]
    for i, result in enumerate(results):
        cells = []
        for column, others, top in zip(columns, out, winners, strict=True):
            known = _is_known(result, column.key) and i not in others
            won = known and _shown(result, column) == top
            # Where there is no bold type a star stands in for it.
            star = "*" if won and plain else " "
            mark = marks[others[i]] if i in others else star if plain or others else ""
            cells.append(Text(cell(result, column, errors) + mark, "bold green" if won else ""))
        table.add_row(Text(result.label), *cells)
    return table


def marks_of(columns: Iterable[Column], results: Sequence[ModelResult]) -> dict[str, str]:
    """Why some values must not be compared with the others of their column, and a mark of it."""
    from isthmus.evaluation.kinds import apart

    reasons = dict.fromkeys(why for column in columns for why in apart(results, column).values())
    return {why: MARKS[i % len(MARKS)] for i, why in enumerate(reasons)}


def _sizes_table(results: Sequence[ModelResult]) -> object:
    """R² by model and code size."""
    from rich import box
    from rich.table import Table

    from isthmus.evaluation.figures import figure

    swept = dict.fromkeys(r.name for r in results if not r.main)
    sizes = sorted({r.latent_dim for r in results if r.name in swept})
    table = Table(
        title="R² by code size", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("model", no_wrap=True)
    for size in sizes:
        table.add_column(str(size), justify="right")
    found = {(r.name, r.latent_dim): r.metrics.get("r2", math.nan) for r in results}
    for name in swept:
        values = [found.get((name, size), math.nan) for size in sizes]
        table.add_row(name, *(figure(v, 3) if math.isfinite(v) else MISSING for v in values))
    return table


def _print_pairs(comparison: Comparison, console: Console) -> None:
    """The winner of each figure against the next, by paired tests."""
    from isthmus.evaluation.pairs import winners

    found = winners(comparison.pairs)
    if not found:
        return
    console.print("[bold]the winner against the next, on the same held-out data[/bold]")
    for pair in found:
        doubt = ", within noise" if pair.within_noise else ""
        how = f"before {pair.worse} by {pair.gap} {pair.unit} ({pair.chance}{doubt})"
        how = f"and {pair.worse} are the same datum by datum" if pair.alike else how
        text = _wrapped(f"{pair.purpose}: {pair.better} {how}", console.width, "  ")
        console.print(text, highlight=False, markup=False)
    said = "p of paired tests, adjusted for all pairs of models by Holm's method."
    console.print(_wrapped(said, console.width, "  "), style="dim", highlight=False)


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
