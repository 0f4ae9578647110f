"""Contours of a cloud of draws, by a smoothed histogram and marching squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup

from isthmus.report import svg
from isthmus.report.figure import Floats

BINS = 48
SMOOTHING = 2.0  # Cells.

# Which edges of a cell a contour joins, by the corners above the level: bit 1 is lower left, 2
# lower right, 4 upper right, 8 upper left; edges are lower 0, right 1, upper 2, left 3.
JOINED = {
    1: ((3, 0),),
    2: ((0, 1),),
    3: ((3, 1),),
    4: ((1, 2),),
    5: ((3, 0), (1, 2)),
    6: ((0, 2),),
    7: ((3, 2),),
    8: ((2, 3),),
    9: ((0, 2),),
    10: ((0, 1), (2, 3)),
    11: ((1, 2),),
    12: ((1, 3),),
    13: ((0, 1),),
    14: ((3, 0),),
}
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


@final
@dataclass(frozen=True)
class Relief:
    """A density on a grid.

    Args:
        x: (n,) of the columns.
        y: (m,) of the rows.
        height: (n, m), of total 1.
    """

    x: Floats
    y: Floats
    height: Floats

    @classmethod
    def of(cls, draws: Floats, limits: tuple[float, float, float, float]) -> Relief:
        """A smoothed histogram of draws (n, 2) within (x0, x1, y0, y1)."""
        x0, x1, y0, y1 = limits
        counts, xs, ys = np.histogram2d(
            draws[:, 0], draws[:, 1], bins=BINS, range=((x0, x1), (y0, y1))
        )
        reach = np.arange(-6, 7)
        kernel = np.exp(-0.5 * (reach / SMOOTHING) ** 2)
        kernel /= kernel.sum()
        for axis in (0, 1):
            counts = np.apply_along_axis(np.convolve, axis, counts, kernel, mode="same")
        middle = ((xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)
        return cls(*middle, counts / max(float(counts.sum()), 1e-300))

    def level(self, share: float) -> float:
        """The height above which this share of all mass on the grid lies."""
        heights = np.sort(self.height.ravel())[::-1]
        return float(heights[min(int(np.searchsorted(heights.cumsum(), share)), heights.size - 1)])

    def at(self, points: Floats) -> Floats:
        """The height (n,) of the cells that points (n, 2) lie in; 0 outside of the grid."""
        found = np.zeros(len(points))
        where = []
        for axis, middles in enumerate((self.x, self.y)):
            step = middles[1] - middles[0]
            where.append(np.rint((points[:, axis] - middles[0]) / step).astype(int))
        i, j = where
        inside = (i >= 0) & (i < len(self.x)) & (j >= 0) & (j < len(self.y))
        found[inside] = self.height[i[inside], j[inside]]
        return found

    def lines(self, level: float) -> list[tuple[svg.Point, svg.Point]]:
        """The pieces of the contour at a level."""
        above = self.height > level
        found = []
        for i, j in np.argwhere(_mixed(above)):
            corners = [(i + a, j + b) for a, b in CORNERS]
            kind = sum(1 << k for k, corner in enumerate(corners) if above[corner])
            for edges in JOINED[kind]:
                found.append(tuple(self._crossing(corners, edge, level) for edge in edges))
        return [(a, b) for a, b in found]

    def _crossing(self, corners: Sequence[tuple[int, int]], edge: int, level: float) -> svg.Point:
        (i, j), (k, m) = corners[edge], corners[(edge + 1) % 4]
        low, high = self.height[i, j], self.height[k, m]
        t = float((level - low) / (high - low))
        x = self.x[i] + t * (self.x[k] - self.x[i])
        y = self.y[j] + t * (self.y[m] - self.y[j])
        return float(x), float(y)


def _mixed(above: np.ndarray) -> np.ndarray:
    """Cells (n - 1, m - 1) with corners on both sides of the level."""
    rows, columns = above.shape[0] - 1, above.shape[1] - 1
    corners = np.stack([above[a : rows + a, b : columns + b] for a, b in CORNERS])
    count: np.ndarray = corners.sum(0)
    mixed: np.ndarray = (count > 0) & (count < len(CORNERS))
    return mixed


def draw_contour(relief: Relief, share: float, plot: svg.Frame, look: str) -> Markup:
    """The contour around the densest `share` of the mass."""
    pieces = relief.lines(relief.level(share))
    path = "".join(
        "M{} {}L{} {}".format(*(svg.number(v) for end in piece for v in plot.at(*end)))
        for piece in pieces
    )
    return Markup('<path d="{}" class="{}"/>').format(path, look)
