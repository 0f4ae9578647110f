"""Reconstructions and samples of data that are no images, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from isthmus.report import svg
from isthmus.report.examples import say_samples
from isthmus.report.figure import Figure, Floats, Panel, Subject, chart, evenly, padded
from isthmus.report.words import counted, fixed, short

MOST_COLUMNS = 12
MOST_POINTS = 800
FEWEST_FOR_R2 = 20
LONGEST_NAME = 14
SQUARE: svg.Point = (260.0, 260.0)
LOWEST_R2 = -0.25


@final
@dataclass(frozen=True)
class Columns:
    """The columns that are shown, and how their values are put on one scale.

    Args:
        names: Of the shown columns.
        index: Their positions.
        centre: Subtracted from each.
        spread: Divided by, for each.
        counts: Whether values are counts, shown as log(1 + x) in place of standardised.
    """

    names: list[str]
    index: NDArray[np.intp]
    centre: Floats
    spread: Floats
    counts: bool

    def scaled(self, values: Floats) -> Floats:
        """Values (n, *D) of the shown columns on the common scale, (n, columns)."""
        shown = flat(values)[:, self.index].astype(float)
        if self.counts:
            return np.log1p(np.maximum(shown, 0))
        return (shown - self.centre) / self.spread


def flat(values: Floats) -> Floats:
    """(n, *D) as (n, size)."""
    return values.reshape(len(values), -1)


def column_names(subject: Subject, size: int) -> list[str]:
    """The names of all columns, or their numbers where they have none."""
    columns = subject.comparison.spec.columns
    if len(columns) == size:
        return [column.name for column in columns]
    return [f"column {i + 1}" for i in range(size)]


def choose_columns(subject: Subject, originals: Floats) -> Columns:
    """The columns with the most counts, or the first ones that vary."""
    spec = subject.comparison.spec
    x = flat(originals).astype(float)
    counts = spec.support == "count"
    scale = x.std(0)
    weight = x.sum(0) if counts else (scale > 0).astype(float)
    index = np.sort(np.argsort(-weight, kind="stable")[:MOST_COLUMNS])
    names = column_names(subject, x.shape[1])
    shown = [names[i] for i in index]
    spread = np.where(scale > 0, scale, 1.0)
    return Columns(shown, index, x.mean(0)[index], spread[index], counts)


def parity(subject: Subject) -> Figure | None:
    """Each value against its reconstruction."""
    originals, found = subject.array("originals"), subject.by_label("reconstructions")
    if subject.images or originals is None or not found:
        return None
    columns = choose_columns(subject, originals)
    x = columns.scaled(originals)
    near: dict[str, float] = {}
    panels: list[Panel] = []
    low, high = padded(x)
    for label, values in found:
        y = columns.scaled(values[: len(x)])
        near[label] = float(np.sqrt(np.mean((y - x[: len(y)]) ** 2)))
        drawn = svg.picture(
            SQUARE,
            f"{label}: reconstructed against original values",
            _draw_parity(
                x[: len(y)], y, (low, high), subject.looks[label].tone, f"parity{len(panels)}"
            ),
        )
        panels.append(
            Panel((drawn,), label, f"off by {fixed(near[label], 2)}", subject.looks[label])
        )
    unit = "log(1 + count)" if columns.counts else "standard deviations of each column"
    kept = _which(subject, columns, originals)
    return Figure(
        "reconstructions",
        "Reconstructions",
        f"Each dot is one value, original rightwards and reconstructed upwards, in {unit}; on the "
        "diagonal it "
        f"came back exactly.{kept}",
        say_parity(near, f"{unit} on these {counted(len(x), 'row')}"),
        "small",
        tuple(panels),
    )


def _which(subject: Subject, columns: Columns, originals: Floats) -> str:
    size = flat(originals).shape[1]
    if len(columns.names) == size:
        return ""
    shown = len(columns.names)
    if columns.counts:
        return f" Shown are the {shown} of {size:,} columns that hold the most counts."
    return f" Shown are the first {shown} of {size:,} columns that vary."


def say_parity(near: dict[str, float], unit: str) -> str:
    """What the reconstructions show here."""
    best = min(near, key=lambda label: near[label])
    worst = max(near, key=lambda label: near[label])
    if len(near) == 1:
        return f"{best}'s values are off by {fixed(near[best], 2)} {unit} (root mean square)."
    said = (
        f"{best} comes nearest: values are off by {fixed(near[best], 2)} {unit} (root mean square)"
    )
    if fixed(near[best], 2) == fixed(near[worst], 2):
        return f"All are off by {fixed(near[best], 2)} {unit} (root mean square)."
    return f"{said}; {worst} is furthest off, by {fixed(near[worst], 2)}."


def _draw_parity(
    x: Floats, y: Floats, limits: tuple[float, float], tone: str, name: str
) -> list[Markup]:
    plot = svg.frame(SQUARE, limits, limits, left=32)
    pick = evenly(x.size, MOST_POINTS)
    dots = [plot.at(a, b) for a, b in zip(x.ravel()[pick], y.ravel()[pick], strict=True)]
    line = svg.segment(*plot.at(limits[0], limits[0]), *plot.at(limits[1], limits[1]), "iso")
    return [
        plot.axes("original", "reconstructed", plot.x.ticks(4), plot.y.ticks(4)),
        svg.clip(name, plot, [line, svg.cloud(dots, f"cloud thin {tone}")]),
    ]


def column_r2(subject: Subject) -> Figure | None:
    """R² of each column by model."""
    originals, found = subject.array("originals"), subject.by_label("reconstructions")
    if subject.images or originals is None or not found or len(originals) < FEWEST_FOR_R2:
        return None
    columns = choose_columns(subject, originals)
    x = flat(originals)[:, columns.index].astype(float)
    variance = np.where(x.var(0) > 0, x.var(0), np.nan)
    r2 = {
        label: 1 - np.mean((flat(v)[:, columns.index] - x) ** 2, 0) / variance
        for label, v in found
        if len(v) == len(x)
    }
    if not r2 or not np.isfinite(np.stack(list(r2.values()))).any():
        return None

    height = 64 + 24.0 * len(columns.names)

    def draw(size: svg.Point) -> list[Markup]:
        return _draw_r2(r2, columns.names, subject, size)

    shows = say_columns(r2, columns.names)
    return Figure(
        "columns",
        "Column by column",
        "Each mark is one model's R² on one column; right is better, and a column whose marks all "
        "lie left is "
        f"hard for every model.{_which(subject, columns, originals)}",
        shows,
        "chart",
        chart(draw, f"Dot plot of R² by column and model. {shows}", height),
        tuple((subject.looks[label].swatch(), label) for label in r2),
    )


def say_columns(r2: dict[str, Floats], names: list[str]) -> str:
    """What the columns show here: the easiest and the hardest by the models' mean."""
    mean = np.stack(list(r2.values())).mean(0)
    hard, easy = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    of, over = ("a mean R²", " over the models") if len(r2) > 1 else ("an R²", "")
    best = f"{of} of {fixed(float(mean[easy]), 2)}{over}"
    if hard == easy:
        return f"{names[easy]} is kept with {best}."
    return (
        f"{names[easy]} is kept best, with {best}, and {names[hard]} worst, with "
        f"{fixed(float(mean[hard]), 2)}."
    )


def _draw_r2(
    r2: dict[str, Floats], names: list[str], subject: Subject, size: svg.Point
) -> list[Markup]:
    width, height = size
    values = np.stack(list(r2.values()))
    low = max(LOWEST_R2, min(0.0, float(np.nanmin(values))))
    rows = svg.Scale(-0.5, len(names) - 0.5, 16, height - 38)
    plot = svg.Frame(width, height, svg.Scale(low, 1.0, 112, width - 12), rows)
    parts: list[Markup] = []
    for i, name in enumerate(names):
        y = plot.y(i)
        parts.append(svg.segment(plot.x.start, y, plot.x.end, y, "grid"))
        parts.append(svg.text(plot.x.start - 10, y + 4, short(name, LONGEST_NAME), "tick", "end"))
    for tick in plot.x.ticks(4):
        parts.append(svg.text(plot.x(tick), height - 20, svg.tick_text(tick), "tick", "middle"))
    parts.append(svg.text(plot.x.end, height - 4, "R², held-out", "label", "end"))
    for label, row in r2.items():
        look = subject.looks[label]
        for i, value in enumerate(row):
            if np.isfinite(value):
                at = plot.at(max(float(value), low), i)
                tip = f"{label}, {names[i]}: R² {fixed(float(value), 3)}"
                parts.append(svg.marker(*at, look.shape, look.mark, tip))
    return parts


def column_samples(subject: Subject) -> Figure | None:
    """Where held-out values and samples lie, column by column."""
    originals, found = subject.array("originals"), subject.by_label("samples")
    if subject.images or originals is None or not found:
        return None
    columns = choose_columns(subject, originals)
    real = columns.scaled(originals)
    panels = [
        Panel(
            (
                _draw_ranges(
                    real, columns.scaled(values), columns, label, subject.looks[label].tone
                ),
            ),
            label,
            look=subject.looks[label],
        )
        for label, values in found
    ]
    unit = "log(1 + count)" if columns.counts else "standard deviations of the held-out column"
    grey = Markup('<span class="bar-swatch real"></span>')
    colour = Markup('<span class="bar-swatch"></span>')
    return Figure(
        "samples",
        "What the models make up",
        f"By column, the middle four fifths of the values and their median, in {unit}: grey above "
        "for held-out "
        "data, in colour beneath for samples; they should lie alike.",
        say_samples(subject, [label for label, _ in found]),
        "medium",
        tuple(panels),
        ((grey, f"held-out ({counted(len(originals), 'row')})"), (colour, "samples")),
    )


def _draw_ranges(real: Floats, made: Floats, columns: Columns, label: str, tone: str) -> Markup:
    size = (350.0, 44 + 22.0 * len(columns.names))
    quantiles = [np.nanquantile(v, (0.1, 0.5, 0.9), axis=0) for v in (real, made)]
    limits = padded(np.concatenate(quantiles), 0.05)
    plot = svg.Frame(
        *size, svg.Scale(*limits, 108, 338), svg.Scale(0, len(columns.names), 4, size[1] - 40)
    )
    parts: list[Markup] = []
    for tick in plot.x.ticks(4):
        x = plot.x(tick)
        parts.append(svg.segment(x, 4, x, size[1] - 38, "grid"))
        parts.append(svg.text(x, size[1] - 22, svg.tick_text(tick), "tick", "middle"))
    for i, name in enumerate(columns.names):
        parts.append(svg.text(98, plot.y(i + 0.5) + 4, short(name, LONGEST_NAME), "tick", "end"))
        for (low, middle, high), shift, look in zip(
            (q[:, i] for q in quantiles), (-6, 1), ("bar real", f"bar {tone}"), strict=True
        ):
            y = plot.y(i + 0.5) + shift
            words = "held-out" if shift < 0 else label
            tip = f"{words}, {name}: {fixed(low, 2)} to {fixed(high, 2)}, median {fixed(middle, 2)}"
            parts.append(svg.rectangle(plot.x(low), y, plot.x(high) - plot.x(low), 5, look, tip))
            parts.append(svg.rectangle(plot.x(middle) - 1, y - 1, 2, 7, "median"))
    return svg.picture(size, f"{label}: ranges of held-out values and of samples by column", parts)
