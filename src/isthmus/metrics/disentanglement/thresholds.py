"""Linear support vector machines of a single input, all classes and factors at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints

STEPS, HALVINGS = 100, 30
SETTLED = 1e-10


@final
class _Sums(NamedTuple):
    """Σ 1, Σ x and Σ x² (3, K) of the data of the class, and of all others, within the margin."""

    own: Floats
    others: Floats


@final
class _Sorted:
    """One input's values, sorted, with running sums over all data and over each class.

    The data that a line w x + b leaves within its margin are the first or the last ones of that
    order, so that a sum over them is a difference of two running sums.
    """

    def __init__(self, x: Floats, labels: Ints, sizes: Sequence[int]) -> None:
        order = np.argsort(x, kind="stable")
        self._x = x[order]
        # Short integers are sorted by their digits, in linear time.
        columns = labels[order].T.astype(np.int16)
        by_class = np.argsort(columns, axis=1, kind="stable")
        counts = np.concatenate(
            [np.bincount(c, minlength=n) for c, n in zip(columns, sizes, strict=True)]
        )
        self._stride = len(x) + 1
        self._classes = np.arange(len(counts))
        self._keys = np.repeat(self._classes, counts) * self._stride + by_class.reshape(-1)
        self._running = _running(self._x)
        self._own = _running(self._x[by_class].reshape(-1))
        ends = np.cumsum(counts)
        self._ends, self._starts = self._own[:, ends], self._own[:, ends - counts]
        self.counts = counts

    def _below(self, limits: Floats) -> tuple[Floats, Floats]:
        """Sums of the class, and of all, over data below each class's limit."""
        place = np.searchsorted(self._x, limits)
        own = np.searchsorted(self._keys, self._classes * self._stride + place)
        return self._own[:, own] - self._starts, self._running[:, place]

    def within(self, w: Floats, b: Floats) -> _Sums:
        """Sums over the class where w x + b < 1, and over the others where w x + b > −1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            upper, lower = (1.0 - b) / w, (-1.0 - b) / w
        rising = w >= 0
        own, _ = self._below(upper)
        own = np.where(rising, own, self._ends - self._starts - own)
        own_below, all_below = self._below(lower)
        others = all_below - own_below
        total = self._running[:, -1:] - (self._ends - self._starts)
        return _Sums(own, np.where(rising, total - others, others))


def _running(x: Floats) -> Floats:
    return np.pad(np.cumsum([np.ones_like(x), x, x * x], axis=1), ((0, 0), (1, 0)))


def fit_thresholds(
    x: Floats, labels: Ints, sizes: Sequence[int], price: float
) -> tuple[Floats, Floats]:
    """The lines w x + b of one class against the rest, of the least penalised squared hinge.

    Each minimises ½ (w² + b²) + C_k Σ_own (1 − w x − b)₊² + C Σ_others (1 + w x + b)₊² with
    C_k = C N / (K N_k); of two classes the others are weighed by theirs too. Newton's method on a
    piecewise quadratic, whose pieces are found by bisection.

    Args:
        x: (N,).
        labels: (N, F) of every factor 0 … K − 1, every one of them there.
        sizes: K of every factor, at least 2.
        price: C.

    Returns:
        w and b of the classes of the first factor, then of the second, and so on.
    """
    data = _Sorted(x, labels, sizes)
    own_price = price * len(x) / (np.repeat(sizes, sizes) * data.counts)
    other_price = np.concatenate(
        [
            part[::-1] if len(part) == 2 else np.full(len(part), price)
            for part in np.split(own_price, np.cumsum(sizes)[:-1])
        ]
    )
    prices = own_price, other_price
    line = np.zeros((2, len(own_price)))
    sums = data.within(*line)
    value = _value(line, sums, prices)
    for _ in range(STEPS):
        step = _minimum(sums, prices) - line
        length = np.ones(len(own_price))
        for _ in range(HALVINGS):
            tried = line + length * step
            tried_sums = data.within(*tried)
            tried_value = _value(tried, tried_sums, prices)
            worse = tried_value > value
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        better = tried_value <= value
        settled = np.abs(length * step).max() <= SETTLED * (1 + np.abs(line).max())
        line = np.where(better, tried, line)
        sums = data.within(*line)
        value = np.where(better, tried_value, value)
        if settled or not better.any():
            break
    return line[0], line[1]


def _minimum(sums: _Sums, prices: tuple[Floats, Floats]) -> Floats:
    """The line (2, K) that minimises the quadratic of these data within the margin."""
    own, others = 2 * prices[0] * sums.own, 2 * prices[1] * sums.others
    count, first, second = own + others
    right_b, right_w, _ = own - others
    ww, bb, wb = 1.0 + second, 1.0 + count, first
    determinant = ww * bb - wb**2
    return np.stack(
        [(bb * right_w - wb * right_b) / determinant, (ww * right_b - wb * right_w) / determinant]
    )


def _value(line: Floats, sums: _Sums, prices: tuple[Floats, Floats]) -> Floats:
    """What each class's line costs (K,)."""
    w, b = line
    hinges = [
        n - 2 * sign * (w * x + b * n) + w**2 * xx + 2 * w * b * x + b**2 * n
        for (n, x, xx), sign in ((sums.own, 1.0), (sums.others, -1.0))
    ]
    return np.asarray(0.5 * (w**2 + b**2) + prices[0] * hinges[0] + prices[1] * hinges[1])
