"""How far reconstructions are off, summed up chunk by chunk."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.data import DataSpec


@final
class Errors:
    """The squared error of reconstructions, and in a table the spread of each column.

    The columns of a table have units of their own, and the one of the largest numbers would be all
    that a mean over them shows; so each counts in its standard deviation over these data.

    Args:
        spec: Of the data.
    """

    def __init__(self, spec: DataSpec) -> None:
        self._spec = spec
        self._first: Tensor | None = None
        self._there, self._squared, self._sum, self._square = (
            torch.zeros(spec.shape, dtype=torch.float64) for _ in range(4)
        )

    def add(self, x: Tensor, again: Tensor) -> None:
        """Count a chunk; a gap counts nowhere.

        Args:
            x: (B, *D), the data, NaN at a gap.
            again: (B, *D), what was rebuilt of them.
        """
        wide = x.double()
        there = ~wide.isnan()
        if self._first is None:
            # Sums about a value of the data keep their digits where those lie far from zero.
            self._first = wide[0].nan_to_num()
        about = (wide - self._first).nan_to_num()
        self._there += there.sum(0)
        self._squared += (
            (again.double() - wide).where(there, torch.zeros_like(wide)).square().sum(0)
        )
        self._sum += about.sum(0)
        self._square += about.square().sum(0)

    def said(self) -> str:
        """The root mean squared error, with its unit."""
        there = self._there.clamp(min=1)
        mean = self._squared / there
        variance = self._square / there - (self._sum / there).square()
        varies = variance > 0
        if self._spec.kind == "table" and bool(varies.any()):
            error = float((mean[varies] / variance[varies]).mean()) ** 0.5
            return f"root mean squared error {error:.4g} standard deviations of each column"
        error = float(self._squared.sum() / self._there.sum().clamp(min=1)) ** 0.5
        return f"root mean squared error {error * self._spec.unit:.4g} in the data's own unit"
