"""Held-out data out of their stored order, which is often by class or by time."""

from __future__ import annotations

from isthmus.data.binarized import Binarized
from isthmus.data.condition import Conditioned
from isthmus.data.crops import Cropped
from isthmus.data.indexed import Indexed, order
from isthmus.data.pictures import Pictures
from isthmus.data.source import Source


def shuffled(source: Source, seed: int) -> Source:
    """The same data with their stored order permuted; a stream from a file stays in its order.

    An objective that looks at a whole batch, as the discrepancy of codes and prior does, would find
    another distribution in `chunks` of one class each than in training.

    Args:
        source: Any.
        seed: Of the permutation.
    """
    match source:
        case Indexed():
            return source.select(order(len(source), seed))
        case Pictures():
            return source.select(order(len(source), seed))
        case Cropped():
            return Cropped(shuffled(source.source, seed), source.window)
        case Binarized():
            return Binarized(shuffled(source.source, seed), source.seed)
        case Conditioned():
            return source.over(shuffled(source.source, seed))
    return source
