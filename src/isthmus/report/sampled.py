"""Tables and counts: real values against sampled ones, column by column and in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from isthmus.report import svg
from isthmus.report.columns import Columns, choose_columns, flat
from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.looks import LEVELS, colour_bar, signed_tone
from isthmus.report.words import fixed, listed, short

PLOT: svg.Point = (240.0, 150.0)
MOST_BINS, FEWEST_BINS = 18, 6
FEW_VALUES = 12
MOST_MODELS = 3
FEWEST = 20
FULL = 0.5  # A difference of correlations that is drawn in full colour.
NAMES = 104.0
WIDTH = 350.0
HEAD = 12.0


def column_histograms(subject: Subject) -> Figure | None:
    """How the values of each column are spread, in held-out data and in samples."""
    originals, found = subject.array("originals"), _first_models(subject)
    if subject.images or originals is None or not found or len(originals) < FEWEST:
        return None
    columns = choose_columns(subject, originals)
    panels, gaps = [], {label: np.zeros(len(columns.names)) for label, _ in found}
    for c, name in enumerate(columns.names):
        real = _values(originals, columns, c)
        made = {label: _values(values, columns, c) for label, values in found}
        if columns.counts:
            # Counts are binned by ranges of whole numbers, each as wide as the others.
            bounds = count_bounds(np.concatenate([real, *made.values()]))
            real = np.searchsorted(bounds, real).astype(float)
            made = {k: np.searchsorted(bounds, v).astype(float) for k, v in made.items()}
            edges, ticks = np.arange(len(bounds) + 2) - 0.5, count_ticks(bounds)
        else:
            edges, ticks = bin_edges(real, list(made.values())), []
        heights = {label: _shares(values, edges) for label, values in made.items()}
        truth = _shares(real, edges)
        for label, height in heights.items():
            gaps[label][c] = 0.5 * np.abs(height - truth).sum()
        drawn = _draw(truth, heights, edges, subject, name, ticks)
        panels.append(Panel((drawn,), short(name, 26)))
    grey = Markup('<span class="bar-swatch real"></span>')
    return Figure(
        "histograms",
        "Real and sampled values",
        "By column, grey bars are held-out data and coloured lines samples, as shares of each; a "
        "line that follows the tops of the bars has the column right."
        f"{_left_out(subject)}",
        say_gaps(gaps, columns.names),
        "small",
        tuple(panels),
        (
            (grey, "held-out"),
            *((subject.looks[label].swatch(), label) for label, _ in found),
        ),
    )


def _first_models(subject: Subject) -> list[tuple[str, Floats]]:
    """The models whose samples are nearest to data, where that was measured, in their order."""
    found = subject.by_label("samples")
    auc = {r.label: r.metrics.get("sample_auc", 1.0) for r in subject.main}
    best = sorted((label for label, _ in found), key=lambda label: auc[label])[:MOST_MODELS]
    return [(label, values) for label, values in found if label in best]


def _left_out(subject: Subject) -> str:
    if len(subject.by_label("samples")) <= MOST_MODELS:
        return ""
    return f" Drawn are the {MOST_MODELS} models whose samples are hardest to tell from data."


def _values(values: Floats, columns: Columns, c: int) -> Floats:
    own = flat(values)[:, columns.index[c]].astype(float)
    own = own[np.isfinite(own)]
    return own


def count_bounds(values: Floats) -> Floats:
    """Upper bounds of the bins 0, 1, 2, 3-4, 5-8, 9-16, ... below the largest value."""
    bounds = [0.5, 1.5, 2.5]
    while len(values) and bounds[-1] < float(np.quantile(values, 0.995)):
        bounds.append(2.0 * bounds[-1] - 0.5)
    return np.array(bounds)


def count_ticks(bounds: Floats) -> list[str]:
    """What the bins of these bounds hold, in words; the last is open."""
    lows = [0, *(int(b + 0.5) for b in bounds)]
    inner = [str(low) if low + 1 == high else f"{low}–{high - 1}" for low, high in pairwise(lows)]
    return [*inner, f"{lows[-1]}+"]


def bin_edges(real: Floats, made: list[Floats]) -> Floats:
    """Bins over nearly all values; around each value where there are few different ones."""
    different = np.unique(real)
    if 1 < len(different) <= FEW_VALUES:
        inner = (different[1:] + different[:-1]) / 2
        room = np.diff(different).min() / 2
        ends = different[0] - room, different[-1] + room
        return np.concatenate([[ends[0]], inner, [ends[1]]])
    every = np.concatenate([real, *made])
    if not len(every):
        return np.array([0.0, 1.0])
    low, high = np.quantile(every, (0.005, 0.995))
    bins = int(np.clip(1.5 * math.sqrt(len(real)), FEWEST_BINS, MOST_BINS))
    return np.linspace(low, high if high > low else low + 1.0, bins + 1)


def _shares(values: Floats, edges: Floats) -> Floats:
    """The share of values in each bin; the outer bins take what lies beyond them."""
    inside = np.clip(values, edges[0], edges[-1])
    counts = np.histogram(inside, edges)[0]
    result: Floats = counts / max(len(values), 1)
    return result


def say_gaps(gaps: Mapping[str, Floats], names: list[str]) -> str:
    """Which model follows the columns best, and which column is hardest."""
    mean = {label: float(gap.mean()) for label, gap in gaps.items()}
    best = min(mean, key=lambda label: mean[label])
    hardest = int(np.argmax(np.stack(list(gaps.values())).mean(0)))
    said = (
        f"In {best}'s samples {fixed(100 * mean[best], 0)} % of a column's values on average would "
        "have to move to another bin to be spread as the held-out ones"
    )
    if len(mean) > 1:
        said += f", the fewest of {listed(list(mean))}"
    return f"{said}; the hardest column is {names[hardest]}."


def _draw(
    truth: Floats,
    heights: dict[str, Floats],
    edges: Floats,
    subject: Subject,
    name: str,
    words: list[str],
) -> Markup:
    top = max(float(truth.max()), *(float(h.max()) for h in heights.values()), 1e-9)
    width, height = PLOT
    plot = svg.Frame(
        width,
        height,
        svg.Scale(float(edges[0]), float(edges[-1]), 4, width - 4),
        svg.Scale(0.0, top, height - 22, 6),
    )
    parts: list[Markup] = []
    for share, left, right in zip(truth, edges[:-1], edges[1:], strict=True):
        x, y = plot.at(left, share)
        parts.append(svg.rectangle(x, y, plot.x(right) - x - 0.6, plot.y.start - y, "bar pale"))
    for label, shares in heights.items():
        points = [plot.at(edges[0], 0.0)]
        for share, left, right in zip(shares, edges[:-1], edges[1:], strict=True):
            points += [plot.at(left, share), plot.at(right, share)]
        points.append(plot.at(edges[-1], 0.0))
        parts.append(svg.polyline(points, f"outline {subject.looks[label].tone}"))
    parts.append(svg.segment(plot.x.start, plot.y.start, plot.x.end, plot.y.start, "axis"))
    ticks = [(float(i), word) for i, word in enumerate(words)]
    # Every second where there are many, to stay apart.
    ticks = ticks[:: 1 + len(ticks) // 7] or [(t, svg.tick_text(t)) for t in plot.x.ticks(4)]
    for tick, word in ticks:
        parts.append(svg.text(plot.x(tick), height - 6, word, "tick", "middle"))
    return svg.picture(PLOT, f"{name}: histogram of held-out values and of samples", parts)


def correlations(subject: Subject) -> Figure | None:
    """How far the correlations of samples are from those of held-out data."""
    originals, found = subject.array("originals"), subject.by_label("samples")
    if subject.images or originals is None or not found or len(originals) < FEWEST:
        return None
    columns = choose_columns(subject, originals)
    if len(columns.names) < 2:
        return None
    truth = correlation(columns.scaled(originals))
    off = {label: correlation(columns.scaled(values)) - truth for label, values in found}
    pairs = np.triu_indices(len(columns.names), 1)
    mean = {label: float(np.abs(d[pairs]).mean()) for label, d in off.items()}
    panels = tuple(
        Panel(
            (_matrix(difference, columns.names, label),),
            label,
            f"off by {fixed(mean[label], 2)}",
            subject.looks[label],
        )
        for label, difference in off.items()
    )
    return Figure(
        "correlations",
        "Do columns go together as they do in the data?",
        "Each cell is a pair of columns: orange where samples correlate more than held-out data "
        "do, blue where less, nothing where alike.",
        say_correlations(mean, off, columns.names),
        "medium",
        panels,
        ((colour_bar(f"−{FULL:g}", f"+{FULL:g}"), "difference of the correlations"),),
    )


def correlation(values: Floats) -> Floats:
    """(n, columns) -> (columns, columns); 0 for a column that does not vary."""
    x = values[np.isfinite(values).all(1)]
    if len(x) < 2:
        return np.zeros((values.shape[1], values.shape[1]))
    x = x - x.mean(0)
    scale = np.sqrt(np.square(x).sum(0))
    x = x / np.where(scale > 0, scale, 1.0)
    return x.T @ x


def say_correlations(mean: Mapping[str, float], off: Mapping[str, Floats], names: list[str]) -> str:
    """Whose samples keep correlations best, and its worst pair."""
    best = min(mean, key=lambda label: mean[label])
    worst = max(mean, key=lambda label: mean[label])
    difference = np.triu(off[best], 1)
    i, j = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
    gap = float(difference[i, j])
    said = (
        f"{best}'s samples are off by {fixed(mean[best], 2)} on average, most for {names[i]} and "
        f"{names[j]}, by {fixed(gap, 2)}"
    )
    return f"{said}." if best == worst else f"{said}; {worst}'s by {fixed(mean[worst], 2)}."


def _matrix(difference: Floats, names: list[str], label: str) -> Markup:
    n = len(names)
    cell = (WIDTH - NAMES) / n
    levels: NDArray[np.int64] = np.clip(
        np.rint(difference / FULL * LEVELS), -LEVELS, LEVELS
    ).astype(np.int64)
    parts = [svg.rectangle(NAMES, HEAD, cell * n, cell * n, "ground")]
    for i, name in enumerate(names):
        y = HEAD + cell * i
        parts.append(svg.text(NAMES - 8, y + cell / 2 + 4, short(name, 14), "tick", "end"))
        for j, level in enumerate(levels[i]):
            if i == j:
                parts.append(svg.rectangle(NAMES + cell * j, y, cell - 1, cell - 1, "diagonal"))
            elif level:
                tip = f"{name}, {names[j]}: {fixed(float(difference[i, j]), 2)}"
                x, look = NAMES + cell * j, signed_tone(int(level))
                parts.append(svg.rectangle(x, y, cell - 1, cell - 1, look, tip))
    size = (WIDTH, HEAD + cell * n + 2)
    return svg.picture(size, f"{label}: differences of correlations by pair of columns", parts)
