"""Small SVG: scales, axes, lines, markers and labels, coloured by the page's style."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

CHARACTER = 6.3  # Width of a letter of 11.5 px, on average.
LINE = 13.0  # Height of a line of labels.

Point = tuple[float, float]


def number(value: float) -> str:
    """A coordinate with one decimal, as short as it can be."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


@final
@dataclass(frozen=True)
class Scale:
    """A map from data to pixels.

    Args:
        low: The data's value at `start`.
        high: The data's value at `end`.
        start: Pixel of `low`.
        end: Pixel of `high`.
        log: Equal ratios take equal lengths; `low` must be positive.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values within the domain, about `count` of them."""
        return round_ticks(self.low, self.high, count)


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from low to high, about `count` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def tick_text(value: float) -> str:
    """A tick's value: 1.2k for 1,200, a true minus sign, no superfluous zeros."""
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 1e6:
        text = f"{value / 1e6:.6g}M"
    elif abs(value) >= 1e4:
        text = f"{value / 1e3:.6g}k"
    else:
        text = f"{value:.6g}"
    return text.replace("-", "−")


@final
@dataclass(frozen=True)
class Frame:
    """A plot's area with its two scales.

    Args:
        width: Of the whole picture, in pixels.
        height: Of the whole picture, in pixels.
        x: Horizontal scale.
        y: Vertical scale; its `start` is the lower edge.
    """

    width: float
    height: float
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> Point:
        """The pixel of a datum."""
        return self.x(x), self.y(y)

    def axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[float] | None = None,
        y_ticks: Sequence[float] | None = None,
    ) -> Markup:
        """Grid, tick values and the axes' labels: y's above the plot, x's under it."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = []
        for tick in self.y.ticks() if y_ticks is None else y_ticks:
            y = self.y(tick)
            parts.append(segment(left, y, right, y, "grid"))
            parts.append(text(left - 6, y + 4, tick_text(tick), "tick", "end"))
        for tick in self.x.ticks() if x_ticks is None else x_ticks:
            x = self.x(tick)
            parts.append(segment(x, bottom, x, bottom + 4, "axis"))
            parts.append(text(x, bottom + 16, tick_text(tick), "tick", "middle"))
        parts.append(segment(left, bottom, right, bottom, "axis"))
        parts.append(text(right, bottom + 32, x_label, "label", "end"))
        parts.append(text(0, top - 12, y_label, "label", "start"))
        return join(parts)


def frame(
    size: Point,
    x: tuple[float, float],
    y: tuple[float, float],
    right: float = 12.0,
    left: float = 44.0,
    log_x: bool = False,
) -> Frame:
    """A frame of this size for data in these ranges, with room for axes."""
    width, height = size
    return Frame(
        width,
        height,
        Scale(*x, left, width - right, log_x),
        Scale(*y, height - 38, 26),
    )


def join(parts: Iterable[str]) -> Markup:
    """Parts that are markup already, as one."""
    return Markup("").join(Markup(part) for part in parts)


def picture(size: Point, alt: str, parts: Iterable[str], look: str = "") -> Markup:
    """An SVG element whose text alternative is `alt`."""
    width, height = (number(v) for v in size)
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(f"plot {look}".strip(), width, height, width, height, alt, join(parts))


def text(x: float, y: float, words: str, look: str, anchor: str = "start") -> Markup:
    """Words at a pixel; they are escaped."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        number(x), number(y), look, anchor, words
    )


def segment(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    """A straight line between two pixels."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(
        number(x1), number(y1), number(x2), number(y2), look
    )


def rectangle(x: float, y: float, width: float, height: float, look: str, tip: str = "") -> Markup:
    """A filled rectangle with a tooltip."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}">{}</rect>').format(
        number(x), number(y), number(max(width, 0)), number(max(height, 0)), look, tooltip(tip)
    )


def polyline(points: Sequence[Point], look: str) -> Markup:
    """A line through pixels."""
    path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return Markup('<polyline points="{}" class="{}"/>').format(path, look)


def cloud(points: Iterable[Point], look: str) -> Markup:
    """Many dots as one path: its round caps are the dots, ten bytes each."""
    path = "".join(f"M{number(x)} {number(y)}h0" for x, y in points)
    return Markup('<path d="{}" class="{}"/>').format(path, look)


def tooltip(words: str) -> Markup:
    """What shows when the pointer rests on the shape around it."""
    return Markup("<title>{}</title>").format(words) if words else Markup()


def marker(x: float, y: float, shape: str, look: str, tip: str = "") -> Markup:
    """One marked point: circle, square, triangle, diamond or down (a triangle on its head)."""
    r = 4.0
    corners = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "triangle": [(0, -r * 1.2), (r * 1.15, r), (-r * 1.15, r)],
        "diamond": [(0, -r * 1.35), (r * 1.35, 0), (0, r * 1.35), (-r * 1.35, 0)],
        "down": [(0, r * 1.2), (r * 1.15, -r), (-r * 1.15, -r)],
    }
    if shape not in corners:
        return Markup('<circle cx="{}" cy="{}" r="{}" class="{}">{}</circle>').format(
            number(x), number(y), number(r), look, tooltip(tip)
        )
    path = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in corners[shape])
    return Markup('<polygon points="{}" class="{}">{}</polygon>').format(path, look, tooltip(tip))


def clip(name: str, plot: Frame, parts: Iterable[str]) -> Markup:
    """Parts cut off at the plot's edges; `name` must be unique on the page."""
    left, top = plot.x.start, plot.y.end
    return Markup(
        '<clipPath id="{}"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>'
        '<g clip-path="url(#{})">{}</g>'
    ).format(
        name,
        number(left),
        number(top - 1),
        number(plot.x.end - left),
        number(plot.y.start - top + 1),
        name,
        join(parts),
    )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart, within [low, high] where they fit.

    Args:
        wanted: Where each would stand if alone.
        gap: The least distance of two.
        low: The least position.
        high: The largest position.

    Returns:
        Positions in the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    edge = low
    for i in order:
        placed[i] = max(wanted[i], edge)
        edge = placed[i] + gap
    edge = high
    for i in reversed(order):
        placed[i] = min(placed[i], edge)
        edge = placed[i] - gap
    return placed


def label_beside(
    points: Sequence[Point],
    words: Sequence[str],
    plot: Frame,
    lines: Sequence[Sequence[Point]] = (),
) -> list[tuple[Point, str]]:
    """A place for each point's label, with its anchor, clear of points, labels and lines."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    taken += [(x - 2, y - 2, x + 2, y + 2) for line in lines for x, y in _along(line)]
    places = []
    for (x, y), word in zip(points, words, strict=True):
        width = CHARACTER * len(word)
        offered = (
            ((x + 9, y + 4), "start"),
            ((x - 9, y + 4), "end"),
            ((x, y - 10), "middle"),
            ((x, y + 19), "middle"),
            ((x + 8, y - 8), "start"),
            ((x + 8, y + 16), "start"),
            ((x - 8, y - 8), "end"),
            ((x - 8, y + 16), "end"),
        )
        boxes = [_box(at, anchor, width) for at, anchor in offered]
        best = min(range(len(boxes)), key=lambda i: (_overlap(boxes[i], taken, plot), i))
        taken.append(boxes[best])
        places.append(offered[best])
    return places


def _along(line: Sequence[Point]) -> list[Point]:
    """Places on a line, close enough that no label slips between them."""
    found = []
    for (x, y), (to_x, to_y) in itertools.pairwise(line):
        n = max(1, round(math.hypot(to_x - x, to_y - y) / 4))
        found += [(x + (to_x - x) * i / n, y + (to_y - y) * i / n) for i in range(n + 1)]
    return found


Box = tuple[float, float, float, float]


def _box(at: Point, anchor: str, width: float) -> Box:
    shift = {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return at[0] - shift, at[1] - 10, at[0] - shift + width, at[1] + 3


def _overlap(box: Box, taken: Sequence[Box], plot: Frame) -> float:
    total = 0.0
    for other in taken:
        width = min(box[2], other[2]) - max(box[0], other[0])
        height = min(box[3], other[3]) - max(box[1], other[1])
        total += max(width, 0) * max(height, 0)
    outside = max(plot.x.start - box[0], 0) + max(box[2] - plot.width, 0)
    outside += max(plot.y.end - 8 - box[1], 0) + max(box[3] - plot.y.start, 0)
    return total + 100 * outside


__all__ = [
    "CHARACTER",
    "LINE",
    "Frame",
    "Point",
    "Scale",
    "clip",
    "cloud",
    "frame",
    "join",
    "label_beside",
    "marker",
    "number",
    "picture",
    "polyline",
    "rectangle",
    "round_ticks",
    "segment",
    "spread",
    "text",
    "tick_text",
    "tooltip",
]
