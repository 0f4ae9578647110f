"""The contract of a data source, and the batches that it yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.data.reading import Reading
from isthmus.data.spec import DataSpec


@dataclass(frozen=True)
class Batch:
    """Some data in the source's order.

    Args:
        x: (B, *D), float32, in the units of the spec.
        labels: (B,) int64 class indices, or None.
        factors: (B, n_factors) int64 values of the known factors, or None.
        condition: (B, C) float32 that a conditional model is conditioned on, or None.
    """

    x: Tensor
    labels: Tensor | None = None
    factors: Tensor | None = None
    condition: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        parts = (self.labels, self.factors, self.condition)
        rest = (None if part is None else part.to(device) for part in parts)
        return Batch(self.x.to(device), *rest)


class DataDriven(ABC):
    """A part that looks at the training data once, before training."""

    @abstractmethod
    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Look at the training data.

        Args:
            source: In the data's units.
            scale: x (B, *D) in the data's units -> as the model's networks see it.

        Returns:
            What was handled on the way, one line each.
        """


class Source(ABC):
    """Data, resident in memory or streamed from a file, behind three questions.

    The order of an epoch depends on (seed, epoch) alone, so a run resumes at any position.
    `notes` says in plain lines what the loader met and handled; `reading` is how the loader was
    asked; `split_method` names how `subset` draws. Where `redrawn`, each epoch shows the data in
    another version, such as another crop.
    """

    spec: DataSpec
    notes: tuple[str, ...] = ()
    reading: Reading = Reading()
    split_method: str = "permutation"
    redrawn: bool = False

    def __len__(self) -> int:
        return self.spec.length

    @abstractmethod
    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches of exactly `batch_size` data: numbers start, start + stride, ... of it.

        Processes that train together take every `stride`-th batch each. A rest smaller than a batch
        is left for another epoch's order; where the whole source is smaller than one batch, the
        batch is the source.
        """

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order, at most `size` at a time."""

    @abstractmethod
    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part "train", "validation" or "test" of a seeded split."""
