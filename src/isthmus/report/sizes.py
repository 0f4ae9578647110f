"""Two charts of figures by model: how small the code may be, and what is spent where in bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from isthmus.evaluation.kinds import apart
from isthmus.evaluation.measures import column
from isthmus.evaluation.results import ModelResult
from isthmus.report import svg
from isthmus.report.figure import Figure, Subject, chart, padded
from isthmus.report.looks import Look
from isthmus.report.table import metric
from isthmus.report.words import counted, fixed, listed, percent, short

THRESHOLDS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.5)
LOWEST_R2 = -0.2
LOG_FROM = 8.0
LONGEST_LABEL = 18
# Settings of one recipe that make a curve.
JOINED = 3

Series = dict[str, dict[int, float]]


def code_size(subject: Subject) -> Figure | None:
    """R² against the size of the code."""
    series = r2_by_size(subject)
    sizes = sorted({z for values in series.values() for z in values})
    if len(sizes) < 2:
        return None

    def draw(size: svg.Point) -> list[Markup]:
        return _draw_sizes(series, sizes, subject.looks, size)

    shows = say_sizes(series, subject.looks)
    return Figure(
        "code-size",
        "How small may the code be?",
        "Each line is one model; further left is a smaller code, further up keeps more of the "
        "held-out data. "
        "Dashed grey lines are baselines.",
        shows,
        "chart",
        chart(draw, f"Line chart of R² against the number of code dimensions by model. {shows}"),
    )


def r2_by_size(subject: Subject) -> Series:
    """R² by label and code size; where a size was measured twice the main table's value counts."""
    series: Series = {}
    for result in sorted(subject.comparison.results, key=lambda r: r.main):
        value = metric(result, "r2")
        if value is not None:
            series.setdefault(result.label, {})[result.latent_dim] = value
    order = list(subject.looks)
    return {label: dict(sorted(series[label].items())) for label in order if label in series}


def say_sizes(series: Series, looks: dict[str, Look]) -> str:
    """What the chart shows here: the smallest common code, and the size that a threshold takes."""
    said = []
    sizes = sorted({z for values in series.values() for z in values})
    common = [z for z in sizes if sum(z in values for values in series.values()) > 1]
    if common:
        z = common[0]
        at = {label: values[z] for label, values in series.items() if z in values}
        first, second = _best_by_family(at, looks)
        with_z = f"With {counted(z, 'number')} a datum"
        said.append(
            f"{with_z}, {first} keeps {percent(at[first])} of the variance and {second} "
            f"{percent(at[second])}."
        )
    kinds = {looks[label].learned for label in series}
    for threshold in THRESHOLDS:
        needs = {
            label: min(z for z, r2 in values.items() if r2 >= threshold)
            for label, values in series.items()
            if max(values.values()) >= threshold
        }
        if len(needs) > 1 and {looks[label].learned for label in needs} == kinds:
            first, second = _best_by_family({label: -float(z) for label, z in needs.items()}, looks)
            said.append(
                f"Of the sizes tried, {first} takes {needs[first]} numbers to keep "
                f"{percent(threshold)} and "
                f"{second} {needs[second]}."
            )
            break
    return " ".join(said) or "Each size was tried with one model only."


def _best_by_family(scores: dict[str, float], looks: dict[str, Look]) -> tuple[str, str]:
    """The best learned model and the best baseline, or the best and the worst of one kind."""
    ranked = sorted(scores, key=lambda label: -scores[label])
    learned = [label for label in ranked if looks[label].learned]
    baselines = [label for label in ranked if not looks[label].learned]
    if learned and baselines:
        return learned[0], baselines[0]
    return ranked[0], ranked[-1]


def _draw_sizes(
    series: Series, sizes: Sequence[int], looks: dict[str, Look], size: svg.Point
) -> list[Markup]:
    values = np.array([v for line in series.values() for v in line.values()])
    low = max(LOWEST_R2, np.floor(10 * values.min()) / 10)
    longest = max(len(short(label, LONGEST_LABEL)) for label in series)
    plot = svg.frame(
        size,
        (sizes[0], sizes[-1]),
        (float(low), 1.0),
        right=22 + svg.CHARACTER * longest,
        log_x=sizes[-1] / sizes[0] >= LOG_FROM,
    )
    parts: list[Markup] = [
        plot.axes("numbers in the code", "R², held-out", _apart(sizes, plot.x), None)
    ]
    lines, ends = [], []
    for label, values_by_size in series.items():
        look = looks[label]
        points = [plot.at(z, max(r2, float(low))) for z, r2 in values_by_size.items()]
        lines.append(svg.polyline(points, look.line))
        lines.extend(
            svg.marker(
                *point, look.shape, look.mark, f"{label}, {counted(z, 'number')}: R² {fixed(r2, 3)}"
            )
            for point, (z, r2) in zip(points, values_by_size.items(), strict=True)
        )
        ends.append((points[-1], label, look))
    heights = svg.spread([e[0][1] for e in ends], svg.LINE, 10, plot.y.start + 4)
    for ((x, y), label, look), height in zip(ends, heights, strict=True):
        lines.append(svg.segment(x + 6, y, plot.x.end + 13, height, f"leader {look.tone}"))
        lines.append(
            svg.text(plot.x.end + 16, height + 4, short(label, LONGEST_LABEL), f"name {look.tone}")
        )
    return parts + lines


def _apart(sizes: Sequence[int], scale: svg.Scale, gap: float = 20.0) -> list[float]:
    """The sizes whose tick values do not run into each other."""
    kept: list[float] = []
    for size in sizes:
        if not kept or scale(size) - scale(kept[-1]) >= gap:
            kept.append(size)
    return kept


def rate_distortion(subject: Subject) -> Figure | None:
    """Bits of the code against bits left to say, with lines of equal sum."""
    others = apart(subject.main, column("distortion"))
    found = [
        (r.label, metric(r, "rate"), metric(r, "distortion"))
        for i, r in enumerate(subject.main)
        if i not in others
    ]
    points = {label: (x, y) for label, x, y in found if x is not None and y is not None}
    if not points:
        return None

    curves = joined(subject.main, points)

    def draw(size: svg.Point) -> list[Markup]:
        return _draw_bits(points, subject.looks, size, curves)

    shows = say_bits(points)
    return Figure(
        "rate-distortion",
        "What is spent where",
        "Rightwards a code costs more bits, upwards more bits are left to say once it is known; "
        "on each "
        "diagonal the sum, which is the negative ELBO, is the same, and lower lines are better."
        + _left_out([r.label for i, r in enumerate(subject.main) if i in others]),
        shows,
        "chart",
        chart(draw, f"Scatter plot of distortion against rate in bits by model. {shows}"),
    )


def _left_out(labels: Sequence[str]) -> str:
    """Whose distortion is of another kind."""
    if not labels:
        return ""
    return (
        f" Left out, since what they leave to say is of another kind (see the table): "
        f"{listed(labels)}."
    )


def joined(results: Sequence[ModelResult], points: dict[str, svg.Point]) -> list[list[svg.Point]]:
    """By recipe that was trained with several settings, its points from the smallest code on."""
    by_name: dict[str, list[svg.Point]] = {}
    for result in results:
        if result.label in points:
            by_name.setdefault(result.name, []).append(points[result.label])
    return [sorted(found) for found in by_name.values() if len(found) >= JOINED]


def say_bits(points: dict[str, svg.Point]) -> str:
    """What the chart shows here."""
    total = {label: x + y for label, (x, y) in points.items()}
    best = min(total, key=lambda label: total[label])
    x, y = points[best]
    if len(points) == 1:
        return (
            f"{best} spends {fixed(x, 1)} bits on the code and leaves {fixed(y, 1)} to say, "
            f"{fixed(total[best], 1)} bits a datum in all."
        )
    said = (
        f"{best} has the lowest sum: {fixed(x, 1)} bits of code and {fixed(y, 1)} bits left to "
        "say, "
        f"{fixed(total[best], 1)} a datum."
    )
    thrifty = min(points, key=lambda label: points[label][0])
    close = min(points, key=lambda label: points[label][1])
    said += f" {thrifty} spends the fewest bits on the code ({fixed(points[thrifty][0], 1)})"
    said += f"; {close} leaves the fewest to say ({fixed(points[close][1], 1)})."
    return said


def _draw_bits(
    points: dict[str, svg.Point],
    looks: dict[str, Look],
    size: svg.Point,
    curves: list[list[svg.Point]],
) -> list[Markup]:
    xs, ys = (np.array([p[i] for p in points.values()]) for i in (0, 1))
    _, right = padded(xs, 0.2)
    left = min(0.0, float(xs.min()))
    low, high = padded(ys, 0.2)
    # Equal bits keep the diagonals readable: neither axis may be more than a few times finer.
    span = max(high - low, (right - left) / 3)
    middle = (low + high) / 2
    low, high = middle - span / 2, middle + span / 2
    plot = svg.frame(size, (left, max(right, left + span / 3)), (low, high), left=52)
    parts: list[Markup] = [plot.axes("rate: bits of the code", "distortion: bits left to say")]
    parts.append(_diagonals(plot))
    lines = [[plot.at(*point) for point in curve] for curve in curves]
    parts.extend(svg.polyline(line, "curve") for line in lines)
    places = [plot.at(*p) for p in points.values()]
    texts = svg.label_beside(places, list(points), plot, lines)
    for (label, (x, y)), place, (at, anchor) in zip(points.items(), places, texts, strict=True):
        look = looks[label]
        tip = (
            f"{label}: rate {fixed(x, 1)} bits, distortion {fixed(y, 1)} bits, sum "
            f"{fixed(x + y, 1)} bits"
        )
        parts.append(svg.marker(*place, look.shape, look.mark, tip))
        parts.append(svg.text(*at, label, f"name {look.tone}", anchor))
    return parts


def _diagonals(plot: svg.Frame) -> Markup:
    """Lines of equal rate plus distortion, each with its sum where it leaves the plot."""
    x, y = plot.x, plot.y
    parts = []
    for total in svg.round_ticks(x.low + y.low, x.high + y.high, 8):
        start = (max(x.low, total - y.high), min(y.high, total - x.low))
        end = (min(x.high, total - y.low), max(y.low, total - x.high))
        if end[0] <= start[0]:
            continue
        a, b = plot.at(*start), plot.at(*end)
        parts.append(svg.segment(*a, *b, "iso"))
        if a[0] + 60 < x.end and a[1] + 20 < y.start:
            parts.append(svg.text(a[0] + 5, a[1] + 3, f"sum {svg.tick_text(total)}", "tick faint"))
    return svg.join(parts)
