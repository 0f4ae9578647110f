"""Sprites of known factors, drawn on the fly: the data set "shapes".

Like dSprites: a white shape on black, 64 x 64, every combination of 3 shapes, 6 scales, 40
orientations and 32 x 32 positions, in that order (the last factor varies fastest). Other than
there, the 40 orientations are 40 different angles (0 and 2 pi are not both among them), and a step
of position is one pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from isthmus.data.indexed import Indexed, order
from isthmus.data.source import Batch
from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.registry import did_you_mean

FACTORS = (("shape", 3), ("scale", 6), ("orientation", 40), ("position x", 32), ("position y", 32))
SIZES = tuple(size for _, size in FACTORS)
TOTAL = math.prod(SIZES)
IMAGE = 64
CLASSES = ("square", "ellipse", "heart")

# A sprite's own grid of pixels: at most _RADIUS from its middle, which lies on a pixel.
_RADIUS = 16
_SIDE = 2 * _RADIUS + 1


def square(u: Tensor, v: Tensor) -> Tensor:
    """Whether points, in pixels from the middle, lie in the square of side 21.5."""
    return torch.maximum(u.abs(), v.abs()) < 10.75


def ellipse(u: Tensor, v: Tensor) -> Tensor:
    """Whether points lie in the ellipse of half-axes 7.6 and 15.2."""
    return (u / 7.6) ** 2 + (v / 15.2) ** 2 < 1


def heart(u: Tensor, v: Tensor) -> Tensor:
    """Whether points lie in the heart (a^2 + b^2 - 1)^3 < a^2 b^3, 12.6 pixels to the unit."""
    a, b = u / 12.6, v / 12.6 + 0.1
    return (a**2 + b**2 - 1) ** 3 < a**2 * b**3


@lru_cache(maxsize=1)
def templates() -> Tensor:
    """Every shape, scale and orientation in the middle of its own grid: (720, 33, 33) uint8."""
    axis = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    angle = torch.arange(SIZES[2], dtype=torch.float64) * (2 * math.pi / SIZES[2])
    scale = torch.linspace(0.5, 1, SIZES[1], dtype=torch.float64)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    # Points are turned back and shrunk back into the upright shape of full size; v points up.
    u = (cosine * right - sine * down) / scale[:, None, None, None]
    v = (-sine * right - cosine * down) / scale[:, None, None, None]
    drawn = torch.stack([inside(u, v) for inside in (square, ellipse, heart)])
    return drawn.flatten(0, 2).to(torch.uint8)


def factors_of(index: Tensor) -> Tensor:
    """The factors (B, 5) of the images at `index` (B,) in the full grid."""
    return torch.stack(torch.unravel_index(index, SIZES), dim=1)


def index_of(factors: Tensor) -> Tensor:
    """The inverse of `factors_of`."""
    place = torch.zeros(len(factors), dtype=torch.int64)
    for column, size in enumerate(SIZES):
        place = place * size + factors[:, column]
    return place


def render(factors: Tensor) -> Tensor:
    """Draw sprites.

    Args:
        factors: (B, 5) int64: shape, scale, orientation, position x (to the right), position y
            (down).

    Returns:
        (B, 1, 64, 64) uint8 of 0 and 1.
    """
    shape, scale, orientation, x, y = factors.unbind(1)
    template = templates()[(shape * SIZES[1] + scale) * SIZES[2] + orientation]
    step = torch.arange(_SIDE)
    rows = (y[:, None] + step)[:, :, None]
    columns = (x[:, None] + step)[:, None, :]
    images = torch.zeros(len(factors), IMAGE, IMAGE, dtype=torch.uint8)
    images[torch.arange(len(factors))[:, None, None], rows, columns] = template
    return images[:, None]


@final
class Sprites(Indexed):
    """A subset of the sprites, each drawn when a batch asks for it.

    Args:
        index: (N,) int64 places in the full grid.
        name: What the data are called.
    """

    def __init__(self, index: Tensor, name: str = "shapes") -> None:
        self.index = index
        self.spec = DataSpec(
            "image", (1, IMAGE, IMAGE), "binary", len(index), name, classes=CLASSES, factors=FACTORS
        )

    def rows(self, index: Tensor) -> Batch:
        """The sprites at `index`; the label is the shape."""
        factors = factors_of(self.index[index])
        return Batch(render(factors).float(), factors[:, 0], factors)

    def select(self, index: Tensor) -> Sprites:
        """The rows at `index` as a source of their own."""
        return Sprites(self.index[index], self.spec.name)


def choose(n: int | None, seed: int, factors: Mapping[str, Sequence[int]] | None) -> Tensor:
    """Places in the full grid, ascending.

    Args:
        n: How many to draw, or None for all.
        seed: Of the draw.
        factors: The values to keep of each factor that is named; all of the others.

    Raises:
        UnknownNameError: A factor that there is not.
        OptionError: A value that a factor does not have, or an n that cannot be had.
    """
    sizes = dict(FACTORS)
    kept = {name: list(range(size)) for name, size in FACTORS}
    for name, values in (factors or {}).items():
        if name not in sizes:
            raise did_you_mean("factor of shapes", name, sizes)
        wrong = [v for v in values if v not in range(sizes[name])]
        if wrong or not len(values):
            raise OptionError(
                f"The factor {name!r} of shapes has the values 0 to {sizes[name] - 1}; got "
                f"{list(values)}."
            )
        kept[name] = sorted(set(values))
    grid = index_of(torch.cartesian_prod(*(torch.tensor(kept[name]) for name, _ in FACTORS)))
    if n is None:
        return grid
    if not 3 <= n <= len(grid):
        raise OptionError(
            f"n={n} of shapes: expected 3 to {len(grid)}, the number of images in the grid asked "
            "for."
        )
    return grid[order(len(grid), seed)[:n].sort()[0]]
