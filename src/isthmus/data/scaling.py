"""Shift and scale of data, learned once from a source."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from isthmus.data.arrays import describe_constant
from isthmus.data.source import Source
from isthmus.registry import Part, Registry, did_you_mean

SCALINGS = Registry("scaling")

# Elements that are looked at together.
_CHUNK = 2**21


class Moments(NamedTuple):
    """Mean and standard deviation of data.

    Args:
        shift: The mean; D by column, () over all elements.
        scale: The standard deviation (divided by N), 1 where the data are constant; shaped like
            shift.
        constant: Where all data have the same value; bool, shaped like shift.
        low: The lowest value.
        high: The highest value.
    """

    shift: Tensor
    scale: Tensor
    constant: Tensor
    low: Tensor
    high: Tensor


def moments(source: Source, by_column: bool) -> Moments:
    """Mean and standard deviation in one pass, in float64.

    Chunks are merged pairwise: with n = n_a + n_b and d = mean_b - mean_a,
    mean = mean_a + d n_b / n and M2 = M2_a + M2_b + d^2 n_a n_b / n.

    Args:
        source: Of any size; it is read chunk by chunk.
        by_column: For each element of a datum apart, or over all of them.

    Reference:
        Chan, Golub, LeVeque, "Algorithms for computing the sample variance" (1983),
        https://doi.org/10.1080/00031305.1983.10483115.
    """
    shape = source.spec.shape if by_column else ()
    mean, squares = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    low = torch.full(shape, math.inf, dtype=torch.float64)
    high, n = -low, torch.zeros_like(low)
    for batch in source.chunks(max(1, _CHUNK // source.spec.size)):
        x = batch.x.to("cpu", torch.float64)
        x = x if by_column else x.flatten()
        added, middle, spread, lowest, highest = _of_chunk(x, source.spec.missing)
        delta = middle - mean
        total = (n + added).clamp(min=1.0)
        squares += spread + delta**2 * (n * added / total)
        mean += delta * (added / total)
        low, high = torch.minimum(low, lowest), torch.maximum(high, highest)
        n += added
    constant = low >= high
    low, high = low.where(n > 0, 0.0), high.where(n > 0, 0.0)
    scale = (squares / n.clamp(min=1.0)).sqrt()
    # A variance below the smallest float32 is as good as none.
    usable = ~constant & (scale.float() > 0)
    usual = torch.where(usable, scale, torch.ones_like(scale))
    return Moments(mean, usual, constant, low, high)


def _of_chunk(x: Tensor, missing: bool) -> tuple[Tensor, ...]:
    """Number, mean, sum of squares about it, lowest and highest of x (n, ...), by element."""
    if not missing:
        middle = x.mean(0)
        spread = (x - middle).square_().sum(0)
        return torch.full_like(middle, len(x)), middle, spread, x.amin(0), x.amax(0)
    absent = torch.isnan(x)
    middle = x.nanmean(0).nan_to_num()
    return (
        (~absent).sum(0).double(),
        middle,
        (x - middle).square_().nansum(0),
        x.masked_fill(absent, math.inf).amin(0),
        x.masked_fill(absent, -math.inf).amax(0),
    )


def _range(source: Source, by_column: bool) -> Moments:
    """The lowest value as the shift, and the width of the range as the scale."""
    found = moments(source, by_column)
    width = (found.high - found.low).where(~found.constant, torch.ones_like(found.low))
    return found._replace(shift=found.low, scale=width)


class _Manner(NamedTuple):
    """What a word for `per` stands for."""

    measure: Callable[[Source], Moments] | None = None
    by_column: bool = False
    bounded: bool = False
    fixed: tuple[float, float] | None = None


_MANNERS = {
    "none": _Manner(),
    "datum": _Manner(partial(moments, by_column=False)),
    "column": _Manner(partial(moments, by_column=True), by_column=True),
    "datum-range": _Manner(partial(_range, by_column=False), bounded=True),
    "column-range": _Manner(partial(_range, by_column=True), by_column=True, bounded=True),
    "symmetric": _Manner(fixed=(0.5, 0.5)),
}


@SCALINGS.register("scaling")
@final
class Scaling(Part, nn.Module):
    """The map u = (x - shift) / scale between data and what a model sees.

    A density of u becomes one of x by log p(x) = log p(u) - log_det().

    Args:
        shape: The event shape D.
        per: "none" (u = x), "datum" (mean and standard deviation of all elements), "column" (of
            each element), "datum-range" or "column-range" (lowest value and width of the range, so
            that u lies in [0, 1]; what lies outside the range it was fitted to is clipped),
            "symmetric" ([0, 1] becomes [-1, 1], whatever the data are).

    Raises:
        UnknownNameError: Another word for `per`.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, shape: Sequence[int], per: str = "none") -> None:
        super().__init__()
        if per not in _MANNERS:
            raise did_you_mean("scaling", per, _MANNERS)
        self._manner = _MANNERS[per]
        self._shape = tuple(shape)
        held = self._shape if self._manner.by_column else ()
        shift, scale = self._manner.fixed or (0.0, 1.0)
        self.register_buffer("shift", torch.full(held, shift))
        self.register_buffer("scale", torch.full(held, scale))

    @property
    def active(self) -> bool:
        """Whether it may move data at all."""
        return self._manner.measure is not None or self._manner.fixed is not None

    @property
    def bounded(self) -> bool:
        """Whether what comes out lies in [0, 1]."""
        return self._manner.bounded

    def forward(self, x: Tensor) -> Tensor:
        """U (..., *D) of x (..., *D)."""
        if not self.active:
            return x
        u = (x - self.shift) / self.scale
        return u.clamp(0.0, 1.0) if self.bounded else u

    def inverse(self, u: Tensor) -> Tensor:
        """X (..., *D) of u (..., *D)."""
        return u * self.scale + self.shift if self.active else u

    def log_det(self, x: Tensor | None = None) -> Tensor:
        """The sum over the elements of a datum of log scale, in nats: ().

        Args:
            x: (N, *D) data whose missing elements (NaN) are to be left out: (N,).
        """
        logs = self.scale.log().expand(self._shape)
        if x is None:
            return logs.sum()
        return torch.where(torch.isnan(x), 0.0, logs).flatten(1).sum(1)

    def fit(self, source: Source) -> list[str]:
        """Take shift and scale from a source; returns lines on what could not be scaled."""
        if self._manner.measure is None:
            return []
        found = self._manner.measure(source)
        self.shift.copy_(found.shift)
        self.scale.copy_(found.scale)
        if found.constant.dim() == 0:
            same = "all values of the data are the same; they are shifted but not scaled"
            return [same] if bool(found.constant) else []
        names = tuple(c.name for c in source.spec.columns)
        return [
            f"{line}; shifted to 0 but not scaled"
            for line in describe_constant(found.constant, names)
        ]
