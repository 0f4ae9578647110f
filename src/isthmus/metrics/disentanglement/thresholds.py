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
class Labels:
    """The classes of all factors, as the lines of every input need them.

    Args:
        labels: (N, F) of every factor 0 … K − 1, every one of them there.
        sizes: K of every factor, at least 2.
    """

    def __init__(self, labels: Ints, sizes: Sequence[int]) -> None:
        self.columns = np.ascontiguousarray(labels.T, dtype=np.int16)
        self.sizes = sizes
        self.counts = np.concatenate(
            [np.bincount(c, minlength=n) for c, n in zip(self.columns, sizes, strict=True)]
        )


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

    def __init__(self, x: Floats, labels: Labels) -> None:
        order = np.argsort(x)
        self._x = x[order]
        # Short integers are sorted by their digits, in linear time.
        by_class = np.argsort(labels.columns.take(order, axis=1), axis=1, kind="stable")
        counts, n = labels.counts, len(x)
        self._classes = np.arange(len(counts)) * (n + 1)
        self._keys = np.repeat(self._classes, counts) + by_class.reshape(-1)
        self._running = _running(self._x)
        self._own = _running(self._x.take(by_class.reshape(-1)))
        ends = np.cumsum(counts)
        self._starts = self._own[:, ends - counts, None]
        self._total = self._own[:, ends, None] - self._starts

    def within(self, w: Floats, b: Floats) -> _Sums:
        """Sums over the class where w x + b < 1, and over the others where w x + b > −1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            limits = np.stack([(1.0 - b) / w, (-1.0 - b) / w], 1)
        place = np.searchsorted(self._x, limits)
        own = np.searchsorted(self._keys, self._classes[:, None] + place)
        own_below = self._own[:, own] - self._starts
        others_below = self._running[:, place] - own_below
        others = self._running[:, -1:] - self._total[:, :, 0]
        rising = w >= 0
        return _Sums(
            np.where(rising, own_below[:, :, 0], (self._total - own_below)[:, :, 0]),
            np.where(rising, others - others_below[:, :, 1], others_below[:, :, 1]),
        )


def _running(x: Floats) -> Floats:
    """(3, N + 1) sums of 1, x and x² over all data before each."""
    found = np.zeros((3, len(x) + 1))
    found[0] = np.arange(len(x) + 1)
    np.cumsum(x, out=found[1, 1:])
    np.cumsum(x * x, out=found[2, 1:])
    return found


def fit_thresholds(x: Floats, labels: Labels, price: float) -> tuple[Floats, Floats]:
    """The lines w x + b of one class against the rest, of the least penalised squared hinge.

    Each minimises ½ (w² + b²) + C_k Σ_own (1 − w x − b)₊² + C Σ_others (1 + w x + b)₊² with
    C_k = C N / (K N_k); of two classes the others are weighed by theirs too. Newton's method on a
    piecewise quadratic, whose pieces are found by bisection.

    Args:
        x: (N,).
        labels: Of the same data.
        price: C.

    Returns:
        w and b of the classes of the first factor, then of the second, and so on.
    """
    data, prices = _Sorted(x, labels), _prices(len(x), labels, price)
    line = np.zeros((2, len(labels.counts)))
    sums = data.within(*line)
    value = _value(line, sums, prices)
    for _ in range(STEPS):
        step = _minimum(sums, prices) - line
        length = np.ones(len(value))
        for _ in range(HALVINGS):
            tried = line + length * step
            tried_sums = data.within(*tried)
            tried_value = _value(tried, tried_sums, prices)
            worse = tried_value > value
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        settled = np.abs(length * step).max() <= SETTLED * (1 + np.abs(line).max())
        line = np.where(worse, line, tried)
        sums = _Sums(*(np.where(worse, a, b) for a, b in zip(sums, tried_sums, strict=True)))
        value = np.where(worse, value, tried_value)
        if settled or worse.all():
            break
    return line[0], line[1]


def highest(slopes: Floats, offsets: Floats, sizes: Sequence[int]) -> tuple[Floats, Floats]:
    """The least and the largest x (K,) at which each class's line is the highest of its factor.

    Where two are equally high the first counts; a line that never is the highest has none between.
    """
    factor, place = np.repeat(np.arange(len(sizes)), sizes), np.arange(len(slopes))
    rivals = (factor[:, None] == factor) & (place[:, None] != place)
    first = place[:, None] < place
    rise, ahead = slopes[:, None] - slopes, offsets[:, None] - offsets
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = -ahead / rise
    above, below = (np.where(first, meet, np.nextafter(meet, end)) for end in (np.inf, -np.inf))
    least = np.where(rivals & (rise > 0), above, -np.inf).max(1)
    most = np.where(rivals & (rise < 0), below, np.inf).min(1)
    never = rivals & (rise == 0) & ((ahead < 0) | ((ahead == 0) & ~first))
    return np.where(never.any(1), np.inf, least), most


def _prices(n: int, labels: Labels, price: float) -> tuple[Floats, Floats]:
    """C (K,) of the data of each class, and of all others."""
    own = price * n / (np.repeat(labels.sizes, labels.sizes) * labels.counts)
    parts = np.split(own, np.cumsum(labels.sizes)[:-1])
    others = [part[::-1] if len(part) == 2 else np.full(len(part), price) for part in parts]
    return own, np.concatenate(others)


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
