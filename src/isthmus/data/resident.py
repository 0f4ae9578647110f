"""Data that fit in memory: one tensor, indexed once per batch."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.data.indexed import Indexed
from isthmus.data.source import Batch
from isthmus.data.spec import DataSpec

# Below this size bytes are stored as float32 (no conversion per step), above it as bytes.
FLOAT_BYTES = 256 * 2**20


@final
class Resident(Indexed):
    """A source in memory.

    Args:
        x: (N, *D), float32 in the units of the spec, or an integer type in the data's own unit: a
            batch of those is converted and divided by `spec.unit`.
        spec: Its length is N.
        labels: (N,) int64 class indices, or None.
        factors: (N, n_factors) int64, or None.
        condition: (N, C) float32 that each datum is conditioned on, or None.
        notes: What the loader handled, one line each.
        test_from: Row where the data set's own test part begins, or None.
    """

    def __init__(
        self,
        x: Tensor,
        spec: DataSpec,
        *,
        labels: Tensor | None = None,
        factors: Tensor | None = None,
        condition: Tensor | None = None,
        notes: tuple[str, ...] = (),
        test_from: int | None = None,
    ) -> None:
        self.x = x
        self.spec = spec
        self.labels = labels
        self.factors = factors
        self.condition = condition
        self.notes = notes
        self.test_from = test_from
        self.split_method = "permutation" if test_from is None else "predefined"
        self.device = x.device

    def rows(self, index: Tensor) -> Batch:
        """The data at `index`."""
        x = self.x.index_select(0, index)
        return Batch(
            x if x.dtype == torch.float32 else in_units(x, self.spec.unit),
            None if self.labels is None else self.labels.index_select(0, index),
            None if self.factors is None else self.factors.index_select(0, index),
            None if self.condition is None else self.condition.index_select(0, index),
        )

    def select(self, index: Tensor) -> Resident:
        """The rows at `index` as a source of their own."""
        index = index.to(self.device)
        return Resident(
            self.x.index_select(0, index),
            self.spec.with_length(len(index)),
            labels=None if self.labels is None else self.labels.index_select(0, index),
            factors=None if self.factors is None else self.factors.index_select(0, index),
            condition=None if self.condition is None else self.condition.index_select(0, index),
            notes=self.notes,
        )

    def to(self, device: torch.device | str) -> Resident:
        """The same on another device."""
        return Resident(
            self.x.to(device),
            self.spec,
            labels=None if self.labels is None else self.labels.to(device),
            factors=None if self.factors is None else self.factors.to(device),
            condition=None if self.condition is None else self.condition.to(device),
            notes=self.notes,
            test_from=self.test_from,
        )


def in_units(x: Tensor, unit: float) -> Tensor:
    """Stored numbers as float32 in the units of the spec; float32 is in them already."""
    return x if x.dtype == torch.float32 else x.to(torch.float32).div_(unit)


def stored(x: Tensor, unit: float) -> Tensor:
    """Bytes as float32 in the units of the spec where they are few, else as they are."""
    return in_units(x, unit) if x.numel() * 4 <= FLOAT_BYTES else x
