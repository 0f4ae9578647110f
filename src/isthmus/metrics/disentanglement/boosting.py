"""Gradient-boosted trees over binned inputs, the trees of all classes grown at once.

The algorithm is that of scikit-learn's `GradientBoostingClassifier` with its defaults, which the
reference uses: 100 stages, a learning rate of 0.1, depth 3, Friedman's leaf values, importances by
the decrease of squared error. Only candidate thresholds differ where an input has more than `BINS`
distinct values: they are its quantiles. That makes a node's best split a running sum over bins;
of two children the smaller one alone is summed, and the other's is what is left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints

Bins = NDArray[np.uint8]
Flags = NDArray[np.bool_]

STAGES, RATE, DEPTH, BINS = 100, 0.1, 3, 128
# Data of all outputs that are looked at together: what they take lies in a cache.
HELD = 10_000
# Gains of one part in so many are equal, and chance decides between them.
TIED = 1e-9
LEAST_GAIN = 1e-12


@final
class Binned(NamedTuple):
    """Codes as bins of their inputs, which the trees of several factors share.

    Args:
        bins: (Z, N) counted from 0, at most `BINS`.
        edges: Thresholds of each input, ascending.
        one_hot: (Z B, N) which bin of each input a datum lies in, B the most bins of an input.
    """

    bins: Bins
    edges: list[Floats]
    one_hot: csr_matrix

    @classmethod
    def of(cls, codes: Floats) -> Binned:
        """Bins of the codes (N, Z)."""
        edges = [_thresholds(column) for column in codes.T]
        bins = _binned(codes, edges)
        most = max(len(e) for e in edges) + 1
        width, n = bins.shape
        places = (bins.T + np.arange(width) * most).reshape(-1)
        rows = np.arange(0, len(places) + 1, width)
        one_hot = csr_matrix((np.ones(len(places)), places, rows), shape=(n, width * most))
        return cls(bins, edges, one_hot.T.tocsr())


@final
class _Stage(NamedTuple):
    """One tree per output: input (nodes, K) and last bin to the left (nodes, K), leaves (K, 8)."""

    inputs: Ints
    bins: Bins
    leaves: Floats


@final
class Boosting:
    """Fitted trees.

    Args:
        classes: (C,) labels in ascending order.
        edges: Thresholds of each input, ascending.
        start: (K,) what the outputs start from; K is 1 for two classes.
        stages: The trees.
        importances: (Z,) of each input, summing to 1 where there is a split at all.
        learnt: (N,) the likeliest label of each datum that they were fitted on.
    """

    def __init__(
        self,
        classes: Ints,
        edges: list[Floats],
        start: Floats,
        stages: list[_Stage],
        importances: Floats,
        learnt: Ints,
    ) -> None:
        self.classes, self.edges, self.start = classes, edges, start
        self.stages, self.importances, self.learnt = stages, importances, learnt

    @classmethod
    def fit(cls, codes: Floats | Binned, labels: Ints, seed: int) -> Boosting:
        """Trees that tell labels (N,) from codes (N, Z); equal splits are drawn from the seed."""
        binned = codes if isinstance(codes, Binned) else Binned.of(codes)
        classes, labelled = np.unique(labels, return_inverse=True)
        if len(classes) == 1:
            idle = np.zeros(len(binned.edges))
            return cls(classes, binned.edges, np.zeros(1), [], idle, labels)
        truth = np.eye(len(classes))[:, labelled]
        start = np.log(truth.mean(1))
        if len(classes) == 2:
            truth, start = truth[1:], start[1:] - start[:1]
        grower = _Grower(binned, np.random.default_rng(seed))
        outputs = np.repeat(start[:, None], len(labelled), 1)
        stages = []
        for _ in range(STAGES):
            stage, raised = grower.grow(truth, _probabilities(outputs))
            outputs += raised
            stages.append(stage)
        total = grower.gains.sum()
        importances = grower.gains / total if total > 0 else grower.gains
        learnt = _likeliest(classes, outputs)
        return cls(classes, binned.edges, start, stages, importances, learnt)

    def predict(self, codes: Floats) -> Ints:
        """The likeliest label of each of the codes (N, Z)."""
        bins = _binned(codes, self.edges)
        outputs = np.repeat(self.start[:, None], len(codes), 1)
        for stage in self.stages:
            outputs += _raised(stage.leaves, _leaves(bins, stage))
        return _likeliest(self.classes, outputs)


def _likeliest(classes: Ints, outputs: Floats) -> Ints:
    best = outputs[0] > 0 if len(classes) == 2 else outputs.argmax(0)
    return np.asarray(classes[best.astype(np.int64)])


def _thresholds(column: Floats) -> Floats:
    """Half-way between neighbouring distinct values, or between neighbouring quantiles."""
    values = np.unique(column)
    if len(values) > BINS:
        values = np.unique(np.quantile(column, np.linspace(0, 1, BINS), method="nearest"))
    return np.asarray((values[1:] + values[:-1]) / 2)


def _binned(codes: Floats, edges: list[Floats]) -> Bins:
    found = [np.searchsorted(e, c) for c, e in zip(codes.T, edges, strict=True)]
    return np.stack(found).astype(np.uint8)


def _probabilities(outputs: Floats) -> Floats:
    if len(outputs) == 1:
        return np.asarray(1.0 / (1.0 + np.exp(-outputs)))
    raised = np.exp(outputs - outputs.max(0))
    raised /= raised.sum(0)
    return np.asarray(raised)


def _right(bins: Bins, inputs: Ints, last: Bins) -> Flags:
    """(nodes, K, N) whether each datum would go to the right of each node (nodes, K)."""
    asked = bins.take(inputs.reshape(-1), axis=0).reshape(*inputs.shape, -1)
    return np.asarray(asked > last[..., None])


def _turn(right: Flags, earlier: Sequence[Flags]) -> Flags:
    """(K, N) the turn of each datum at the node that its earlier turns lead to.

    Args:
        right: (nodes, K, N) whether it would go to the right of each node of a level.
        earlier: Of every level above, (K, N).
    """
    found = list(right)
    for turn in reversed(earlier):
        # Bits do what `where` does, in a tenth of its time.
        pairs = zip(found[::2], found[1::2], strict=True)
        found = [left ^ (turn & (left ^ other)) for left, other in pairs]
    return found[0]


def _leaves(bins: Bins, stage: _Stage) -> Ints:
    """The leaf (K, N) that each datum ends in, from 0."""
    right = _right(bins, stage.inputs, stage.bins)
    turns: list[Flags] = []
    for level in range(DEPTH):
        turns.append(_turn(right[2**level - 1 : 2 ** (level + 1) - 1], turns))
    return _leaf(turns)


def _leaf(turns: Sequence[Flags]) -> Ints:
    places = [turn.view(np.uint8) << (DEPTH - 1 - i) for i, turn in enumerate(turns)]
    return np.bitwise_or.reduce(places).astype(np.int64)


def _raised(leaves: Floats, leaf: Ints) -> Floats:
    """(K, N) what a tree with leaves (K, 8) adds to the outputs."""
    cells = leaf + np.arange(len(leaves))[:, None] * leaves.shape[1]
    return np.asarray((RATE * leaves).take(cells))


@final
class _Grower:
    """Grows one stage after the other on the same inputs (Z, N)."""

    def __init__(self, binned: Binned, random: Generator) -> None:
        self._binned, self._random = binned, random
        self.gains = np.zeros(len(binned.bins))
        self._counts = self._running(np.ones((1, binned.bins.shape[1])))
        self._cells = binned.one_hot.shape[0]
        most = self._cells // len(binned.bins)
        self._places = binned.bins.T + np.arange(len(binned.bins)) * most

    def grow(self, truth: Floats, guess: Floats) -> tuple[_Stage, Floats]:
        """A tree for each output, and what it adds to the outputs (K, N) of the data."""
        rest = truth - guess
        sums = self._running(rest)[None]
        counts = np.broadcast_to(self._counts, sums.shape)
        inputs, last = [], []
        turns: list[Flags] = []
        within = np.ones((1, *rest.shape), dtype=bool)
        for level in range(DEPTH):
            if level:
                sums, counts = self._children(sums, counts, rest, within)
            chosen, edge = self._split(sums, counts)
            inputs.append(chosen)
            last.append(edge)
            right = _turn(_right(self._binned.bins, chosen, edge), turns)
            turns.append(right)
            within = np.stack([within & ~right, within & right], 1).reshape(-1, *rest.shape)
        leaf = _leaf(turns)
        leaves = _leaf_values(rest, guess, leaf)
        stage = _Stage(np.concatenate(inputs), np.concatenate(last), leaves)
        return stage, _raised(leaves, leaf)

    def _running(self, values: Floats) -> Floats:
        """(C, Z, B) sums of each row of values (C, N) over all bins up to each."""
        sums = self._binned.one_hot @ np.ascontiguousarray(values.T)
        return np.cumsum(sums.T.reshape(len(values), len(self.gains), -1), axis=2)

    def _children(
        self, sums: Floats, counts: Floats, rest: Floats, within: Flags
    ) -> tuple[Floats, Floats]:
        """Running sums and counts (2 nodes, K, Z, B) of a level from those of the one above.

        Of two children the one with fewer data is summed, and the other is what is left over.

        Args:
            sums: (nodes, K, Z, B).
            counts: The same.
            rest: (K, N) what is summed.
            within: (2 nodes, K, N) whether each datum is in each of the children.
        """
        nodes, outputs = sums.shape[:2]
        found = np.empty((2, nodes, 2, *sums.shape[1:]))
        many = max(HELD // rest.shape[1], 1)
        for first in range(0, outputs, many):
            part = slice(first, first + many)
            fewer, own = self._fewer(rest[part], within[:, part])
            node, k = np.arange(nodes)[:, None], np.arange(fewer.shape[1])
            for new, above, running in zip(found, (sums, counts), own, strict=True):
                new[node, fewer, first + k] = running
                new[node, 1 - fewer, first + k] = above[:, part] - running
        both = found.reshape(2, 2 * nodes, *sums.shape[1:])
        return both[0], both[1]

    def _fewer(self, rest: Floats, within: Flags) -> tuple[Ints, Sequence[Floats | Ints]]:
        """Which child of each node has fewer data (nodes, K), and its running sums and counts."""
        shape = (-1, 2, *rest.shape)
        fewer = np.count_nonzero(within, axis=2).reshape(shape[:-1]).argmin(1)
        child = within.reshape(shape)
        here = np.where(fewer[..., None], child[:, 1], child[:, 0])
        flat = np.flatnonzero(here)
        group, rows = np.divmod(flat, rest.shape[1])
        cells = self._places.take(rows, axis=0)
        weights = np.repeat(rest.take(flat % rest.size), cells.shape[1])
        cells += (group * self._cells)[:, None]
        shape = (*fewer.shape, len(self.gains), -1)
        found = [
            np.bincount(cells.reshape(-1), weight, fewer.size * self._cells).reshape(shape)
            for weight in (weights, None)
        ]
        return fewer, [histogram.cumsum(3) for histogram in found]

    def _split(self, sums: Floats, counts: Floats) -> tuple[Ints, Bins]:
        """The best input and bin (nodes, K) of each node; all data go left where none gains."""
        total, n = sums[..., -1:], counts[..., -1:]
        # s² / c + s'² / c' − (s + s')² / (c + c') of the two sides, without its cancellation, and
        # over n, which is the same for all splits of a node.
        gain = counts * (total / np.maximum(n, 0.5))
        np.subtract(sums, gain, out=gain)
        gain *= gain
        sizes = n - counts
        sizes *= counts
        gain /= np.maximum(sizes, 0.5, out=sizes)
        best = gain.max(3)
        most = best.max(2)
        tied = best >= ((1 - TIED) * most)[..., None]
        drawn = self._random.random((len(best), *best.shape[:0:-1])).transpose(0, 2, 1)
        chosen = np.where(tied, drawn, -1.0).argmax(2)
        most *= n[:, :, 0, 0]
        gains = most > LEAST_GAIN * np.maximum(n[:, :, 0, 0], 1.0)
        added = np.where(gains, most, 0.0).reshape(-1)
        width = len(self.gains)
        self.gains += np.bincount(chosen.reshape(-1), added, width) / self._binned.bins.shape[1]
        rows = gain.reshape(chosen.size, width, -1)[np.arange(chosen.size), chosen.reshape(-1)]
        last = rows.argmax(1).reshape(chosen.shape)
        return chosen, np.where(gains, last, BINS).astype(np.uint8)


def _leaf_values(rest: Floats, guess: Floats, leaf: Ints) -> Floats:
    """(K, leaves) Friedman's single Newton step of each leaf."""
    outputs, leaves = len(rest), 2**DEPTH
    cells = (leaf + np.arange(outputs)[:, None] * leaves).reshape(-1)
    slope = np.bincount(cells, rest.reshape(-1), minlength=leaves * outputs)
    curvature = np.bincount(cells, (guess * (1 - guess)).reshape(-1), minlength=leaves * outputs)
    share = (outputs - 1) / outputs if outputs > 1 else 1.0
    safe = curvature > 1e-150
    step = share * np.where(safe, slope / np.where(safe, curvature, 1.0), 0.0)
    return step.reshape(outputs, leaves)
