"""Greys in [0, 1] as binary data that are drawn anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import final

import torch

from isthmus.data.source import Batch, Source
from isthmus.data.splits import stream_seed
from isthmus.errors import DataError

# Apart from every (seed, epoch, batch): the one draw that evaluation sees.
_FIXED = -1


@final
class Binarized(Source):
    """Another source whose elements are drawn as Bernoulli(x) whenever they are read.

    An epoch draws by (seed, epoch, batch), so that a resumed run meets the same data; `chunks`
    draws the same data every time, whatever the size of a chunk.

    Args:
        source: With values in [0, 1].
        seed: Of the draw that `chunks` shows.

    Raises:
        DataError: The source's values are not known to lie in [0, 1].

    Reference:
        Salakhutdinov, Murray. On the Quantitative Analysis of Deep Belief Networks (2008),
        https://doi.org/10.1145/1390156.1390266.
    """

    redrawn = True

    def __init__(self, source: Source, seed: int = 0) -> None:
        if source.spec.support not in ("unit", "binary"):
            raise DataError(
                f"{source.spec.name} holds {source.spec.support} values, and only values in [0, 1] "
                "are probabilities: scale them, or load them with support='unit'."
            )
        self.source = source
        self.seed = seed
        self.spec = replace(source.spec, support="binary", unit=1.0)
        self.notes = source.notes
        self.split_method = source.split_method

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        batches = self.source.epoch(batch_size, seed=seed, epoch=epoch, start=start, stride=stride)
        for number, batch in enumerate(batches):
            yield _drawn(batch, _generator(seed, epoch, start + number * stride))

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        generator = _generator(self.seed, _FIXED)
        for batch in self.source.chunks(size):
            yield _drawn(batch, generator)

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of the other source's split."""
        return Binarized(self.source.subset(part, seed, fractions), self.seed)


def _generator(*key: int) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(*key))


def _drawn(batch: Batch, generator: torch.Generator) -> Batch:
    drawn = torch.rand(batch.x.shape, generator=generator).to(batch.x.device) < batch.x
    return replace(batch, x=drawn.to(batch.x.dtype))
