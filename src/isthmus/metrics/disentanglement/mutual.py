"""Mutual information of whole numbers, all pairs of columns at once."""

from __future__ import annotations

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints, ranked


def mutual_information(first: Ints, second: Ints) -> Floats:
    """The plug-in estimate of I(a; b) of every column of one with every column of the other.

    Args:
        first: (N, A) whole numbers.
        second: (N, B) whole numbers.

    Returns:
        (A, B) in nats.
    """
    (a, a_sizes), (b, b_sizes) = ranked(first), ranked(second)
    return np.array(
        [
            [_pair(x * m + y, n, m) for y, m in zip(b.T, b_sizes, strict=True)]
            for x, n in zip(a.T, a_sizes, strict=True)
        ]
    )


def entropies(values: Ints) -> Floats:
    """The entropy in nats of every column of `values` (N, F)."""
    counts = [np.unique(column, return_counts=True)[1] / len(values) for column in values.T]
    return np.array([-(p * np.log(p)).sum() for p in counts])


def _pair(cells: Ints, n: int, m: int) -> float:
    joint = np.bincount(cells, minlength=n * m).reshape(n, m) / len(cells)
    apart = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return max(float((joint[seen] * np.log(joint[seen] / apart[seen])).sum()), 0.0)
