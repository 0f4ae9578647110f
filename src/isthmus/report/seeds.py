"""How far the figures of one model differ from training to training."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from isthmus.evaluation import COLUMNS, Column, ModelResult
from isthmus.evaluation.kinds import apart
from isthmus.report import svg
from isthmus.report.figure import Figure, Floats, Panel, Subject, padded
from isthmus.report.table import heading, metric
from isthmus.report.words import fixed, listed, short

SHOWN = ("r2", "nll", "rate", "sample_auc", "probe", "outlier_auc")
WIDTH = 350.0
ROW = 24.0
NAMES = 112.0


def seed_spread(subject: Subject) -> Figure | None:
    """Every training's figure, where models were trained from several seeds."""
    repeated = [r for r in subject.main if any(len(v) > 1 for v in r.seeds.values())]
    columns = [c for c in COLUMNS if c.key in SHOWN and _varies(repeated, c.key)]
    if not columns:
        return None
    panels = tuple(
        Panel((_draw(c, subject),), f"{c.title}, {heading(c).unit}".rstrip(", "), _note(c, subject))
        for c in columns
    )
    n = max(len(v) for r in repeated for v in r.seeds.values())
    return Figure(
        "seeds",
        "From seed to seed",
        f"Each dot is one of {n} trainings, the bar their 95 % interval around the mean; where the "
        "bars of two models overlap widely, the seeds do not tell them apart.",
        _say(repeated, columns),
        "medium",
        panels,
    )


def _varies(results: list[ModelResult], key: str) -> bool:
    return any(len(set(_known(r, key))) > 1 for r in results)


def _known(result: ModelResult, key: str) -> list[float]:
    return [v for v in result.seeds.get(key, []) if np.isfinite(v)]


def _note(column: Column, subject: Subject) -> str:
    said = {1: "more is better", -1: "less is better"}.get(column.better, "")
    others = [subject.main[i].label for i in apart(subject.main, column)]
    return f"{said}; without {listed(others)}, which must not be compared" if others else said


def _say(results: list[ModelResult], columns: list[Column]) -> str:
    column = columns[0]
    spread = {
        r.label: float(np.ptp(_known(r, column.key)))
        for r in results
        if len(_known(r, column.key)) > 1
    }
    most = max(spread, key=lambda label: spread[label])
    others = [label for label in spread if label != most]
    said = f"{column.title} differs most for {most}, by {fixed(spread[most], column.digits)}"
    if not others:
        return f"{said} between its trainings."
    least = min(others, key=lambda label: spread[label])
    return (
        f"{said} between its trainings, and least for {least}, by "
        f"{fixed(spread[least], column.digits)}, of {listed(list(spread))}."
    )


def _draw(column: Column, subject: Subject) -> Markup:
    others = apart(subject.main, column)
    rows = [
        r
        for i, r in enumerate(subject.main)
        if metric(r, column.key) is not None and i not in others
    ]
    values: list[Floats] = [
        np.array(_known(r, column.key) or [r.metrics[column.key]], dtype=float) for r in rows
    ]
    reach = [_reach(r, column.key) for r in rows]
    limits = padded(np.concatenate([*values, *map(np.array, reach)]))
    height = 30 + ROW * len(rows)
    plot = svg.Frame(
        WIDTH,
        height,
        svg.Scale(*limits, NAMES, WIDTH - 10),
        svg.Scale(-0.5, len(rows) - 0.5, 4, height - 24),
    )
    parts: list[Markup] = []
    for tick in plot.x.ticks(4):
        x = plot.x(tick)
        parts.append(svg.segment(x, 4, x, height - 24, "grid"))
        parts.append(svg.text(x, height - 8, svg.tick_text(tick), "tick", "middle"))
    for i, (r, own, (low, high)) in enumerate(zip(rows, values, reach, strict=True)):
        look, y = subject.looks[r.label], plot.y(i)
        parts.append(svg.text(NAMES - 10, y + 4, short(r.label, 15), f"name {look.tone}", "end"))
        tip = f"{r.label}: mean {fixed(r.metrics[column.key], column.digits)}"
        parts.append(svg.segment(plot.x(low), y, plot.x(high), y, f"interval {look.tone}"))
        for value in own:
            parts.append(svg.marker(*plot.at(float(value), i), look.shape, look.mark, tip))
    return svg.picture(
        (WIDTH, height), f"{column.title} of each model, training by training", parts
    )


def _reach(result: ModelResult, key: str) -> tuple[float, float]:
    """The ends of the interval over seeds; the value itself where there is one training."""
    middle = result.metrics[key]
    error = result.errors.get(key, 0.0) if len(_known(result, key)) > 1 else 0.0
    return middle - error, middle + error
