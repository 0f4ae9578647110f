"""Sources whose rows can be had in any order: the order of an epoch, and what follows from it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from isthmus.data.source import Batch, Source
from isthmus.data.splits import split_indices, stream_seed


def order(n: int, *key: int) -> Tensor:
    """A permutation of 0 .. n-1 that is a function of the key alone.

    Args:
        n: How many.
        key: Whole numbers, such as (seed, epoch).

    Returns:
        (n,) int64, on the CPU.
    """
    generator = torch.Generator().manual_seed(stream_seed(*key))
    return torch.randperm(n, generator=generator)


class Indexed(Source):
    """A source that answers for any rows; a subset of it is a selection of rows.

    `test_from` is the row where the data set's own test part begins, if it has one.
    """

    test_from: int | None = None
    device: torch.device = torch.device("cpu")

    @abstractmethod
    def rows(self, index: Tensor) -> Batch:
        """The data at `index` (B,), which lies on this source's device."""

    @abstractmethod
    def select(self, index: Tensor) -> Source:
        """A source of the rows at `index` (n,), in that order."""

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        length = len(self)
        size = min(batch_size, length)
        permutation = order(length, seed, epoch).to(self.device)
        for first in range(start * size, length - size + 1, size * stride):
            yield self.rows(permutation[first : first + size])

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        for first in range(0, len(self), size):
            last = min(first + size, len(self))
            yield self.rows(torch.arange(first, last, device=self.device))

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of an exact seeded split; a test part of the data set's own is kept."""
        return self.select(split_indices(len(self), seed, fractions, self.test_from)[part])
