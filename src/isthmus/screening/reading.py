"""Some rows of data that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from isthmus.data import Batch, Source

CHUNK = 512


def some_of(sources: Sequence[Source], most: int, seed: int) -> Iterator[Batch]:
    """At most so many data of several sources, in their order; by chance where there are more.

    Args:
        sources: One after the other.
        most: How many.
        seed: Of the choice.
    """
    total = sum(map(len, sources))
    chosen = None
    if total > most:
        chance = np.random.default_rng(seed)
        chosen = np.sort(chance.choice(total, most, replace=False, shuffle=False))
    first = 0
    for source in sources:
        for batch in source.chunks(CHUNK):
            inside = batch if chosen is None else _pick(batch, chosen, first)
            first += len(batch)
            if len(inside):
                yield inside


def _pick(batch: Batch, chosen: np.ndarray, first: int) -> Batch:
    """Those rows of a batch, whose first is number `first`, that were chosen: data and condition.

    Args:
        batch: B data.
        chosen: Sorted numbers.
    """
    here = chosen[slice(*np.searchsorted(chosen, [first, first + len(batch)]))] - first
    rows = torch.from_numpy(here).to(batch.x.device)
    told = None if batch.condition is None else batch.condition[rows]
    return Batch(batch.x[rows], condition=told)
