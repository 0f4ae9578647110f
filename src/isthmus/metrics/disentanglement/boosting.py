"""Gradient-boosted trees over binned inputs, the trees of all classes grown at once.

The algorithm is that of scikit-learn's `GradientBoostingClassifier` with its defaults, which the
reference uses: 100 stages, a learning rate of 0.1, depth 3, Friedman's leaf values, importances by
the decrease of squared error. Only candidate thresholds differ where an input has more than `BINS`
distinct values: they are its quantiles. That makes a node's best split a running sum over bins, and
a stage a few products of a sparse matrix.
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_matrix

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints

STAGES, RATE, DEPTH, BINS = 100, 0.1, 3, 128
# Gains of one part in so many are equal, and chance decides between them.
TIED = 1e-9
LEAST_GAIN = 1e-12


@final
class _Stage(NamedTuple):
    """One tree per output: input (nodes, K) and last bin to the left (nodes, K), leaves (8, K)."""

    inputs: Ints
    bins: Ints
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
    """

    def __init__(
        self,
        classes: Ints,
        edges: list[Floats],
        start: Floats,
        stages: list[_Stage],
        importances: Floats,
    ) -> None:
        self.classes, self.edges, self.start = classes, edges, start
        self.stages, self.importances = stages, importances

    @classmethod
    def fit(cls, codes: Floats, labels: Ints, seed: int) -> Boosting:
        """Trees that tell labels (N,) from codes (N, Z); equal splits are drawn from the seed."""
        classes, labelled = np.unique(labels, return_inverse=True)
        edges = [_thresholds(column) for column in codes.T]
        if len(classes) == 1:
            return cls(classes, edges, np.zeros(1), [], np.zeros(codes.shape[1]))
        truth = np.eye(len(classes))[labelled]
        start = np.log(truth.mean(0))
        if len(classes) == 2:
            truth, start = truth[:, 1:], start[1:] - start[:1]
        grower = _Grower(_binned(codes, edges), np.random.default_rng(seed))
        outputs = np.tile(start, (len(codes), 1))
        stages = []
        for _ in range(STAGES):
            stage, raised = grower.grow(truth, _probabilities(outputs))
            outputs += raised
            stages.append(stage)
        total = grower.gains.sum()
        importances = grower.gains / total if total > 0 else grower.gains
        return cls(classes, edges, start, stages, importances)

    def predict(self, codes: Floats) -> Ints:
        """The likeliest label of each of the codes (N, Z)."""
        binned = _binned(codes, self.edges)
        outputs = np.tile(self.start, (len(codes), 1))
        for stage in self.stages:
            outputs += RATE * np.take_along_axis(stage.leaves, _leaves(binned, stage), 0)
        best = outputs[:, 0] > 0 if len(self.classes) == 2 else outputs.argmax(1)
        return np.asarray(self.classes[best.astype(np.int64)])


def _thresholds(column: Floats) -> Floats:
    """Half-way between neighbouring distinct values, or between neighbouring quantiles."""
    values = np.unique(column)
    if len(values) > BINS:
        values = np.unique(np.quantile(column, np.linspace(0, 1, BINS), method="nearest"))
    return np.asarray((values[1:] + values[:-1]) / 2)


def _binned(codes: Floats, edges: list[Floats]) -> Ints:
    found = [np.searchsorted(e, c) for c, e in zip(codes.T, edges, strict=True)]
    return np.stack(found, 1).astype(np.int64)


def _probabilities(outputs: Floats) -> Floats:
    if outputs.shape[1] == 1:
        return np.asarray(1.0 / (1.0 + np.exp(-outputs)))
    raised = np.exp(outputs - outputs.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def _descend(binned: Ints, node: Ints, inputs: Ints, bins: Ints) -> Ints:
    """The child (N, K) that each datum goes to, of nodes numbered as in a heap from 0."""
    value = np.take_along_axis(binned, np.take_along_axis(inputs, node, 0), 1)
    return np.asarray(2 * node + 1 + (value > np.take_along_axis(bins, node, 0)))


def _leaves(binned: Ints, stage: _Stage) -> Ints:
    """The leaf (N, K) that each datum ends in."""
    node = np.zeros((len(binned), stage.leaves.shape[1]), dtype=np.int64)
    for _ in range(DEPTH):
        node = _descend(binned, node, stage.inputs, stage.bins)
    return node - (2**DEPTH - 1)


@final
class _Grower:
    """Grows one stage after the other on the same binned inputs (N, Z)."""

    def __init__(self, binned: Ints, random: Generator) -> None:
        self._binned, self._random = binned, random
        n, width = binned.shape
        self._bins = int(binned.max()) + 1
        places = (binned + np.arange(width) * self._bins).reshape(-1)
        ones = np.ones(len(places))
        rows = np.arange(0, len(places) + 1, width)
        one_hot = csr_matrix((ones, places, rows), shape=(n, width * self._bins))
        self._one_hot = one_hot.T.tocsr()
        self._counts = np.bincount(places, minlength=width * self._bins).astype(np.float64)
        self.gains = np.zeros(width)

    def grow(self, truth: Floats, guess: Floats) -> tuple[_Stage, Floats]:
        """A tree for each output, and what it adds to the outputs (N, K) of the data."""
        rest = truth - guess
        outputs = rest.shape[1]
        nodes = 2**DEPTH - 1
        inputs, bins = np.zeros((2, nodes, outputs), dtype=np.int64)
        node = np.zeros(rest.shape, dtype=np.int64)
        sums = self._one_hot @ rest
        histograms = np.stack([sums, np.repeat(self._counts[:, None], outputs, 1)])[None]
        for level in range(DEPTH):
            first = 2**level - 1
            if level:
                histograms = self._histograms(histograms, rest, node, first)
            for i, histogram in enumerate(histograms, first):
                inputs[i], bins[i] = self._split(histogram)
            node = _descend(self._binned, node, inputs, bins)
        leaf = node - nodes
        leaves = _leaf_values(rest, guess, leaf, nodes + 1)
        stage = _Stage(inputs, bins, leaves)
        return stage, RATE * np.take_along_axis(leaves, leaf, 0)

    def _histograms(self, parents: Floats, rest: Floats, node: Ints, first: int) -> Floats:
        """(nodes, 2, Z bins, K) sums and counts of a level; a right child is what is left over."""
        found = []
        for i, parent in enumerate(parents):
            here = (node == first + 2 * i).astype(np.float64)
            left = self._one_hot @ np.concatenate([rest * here, here], axis=1)
            left = np.stack(np.split(left, 2, axis=1))
            found += [left, parent - left]
        return np.stack(found)

    def _split(self, histogram: Floats) -> tuple[Ints, Ints]:
        """The best input and bin of each output's node; all data go left where none gains."""
        shape = (2, len(self.gains), self._bins, -1)
        sums, counts = np.cumsum(histogram.reshape(shape), axis=2)
        total, n = sums[:, -1:], counts[:, -1:]
        right_sums, right_counts = total - sums, n - counts
        # What was never there comes out of a difference as a rounding error.
        possible = (counts > 0.5) & (right_counts > 0.5)
        gain = (
            sums**2 / np.maximum(counts, 0.5)
            + right_sums**2 / np.maximum(right_counts, 0.5)
            - total**2 / np.maximum(n, 0.5)
        )
        gain = np.where(possible, gain, -np.inf)
        best = gain.max(1)
        most = best.max(0)
        tied = best >= most - TIED * np.abs(most)
        chosen = np.where(tied, self._random.random(best.shape), -1.0).argmax(0)
        outputs = np.arange(len(chosen))
        gains = most > LEAST_GAIN * np.maximum(n[0, 0], 1.0)
        self.gains += np.bincount(
            chosen, np.where(gains, most, 0.0), minlength=len(self.gains)
        ) / np.float64(self._binned.shape[0])
        last = gain[chosen, :, outputs].argmax(1)
        return chosen, np.where(gains, last, self._bins)


def _leaf_values(rest: Floats, guess: Floats, leaf: Ints, leaves: int) -> Floats:
    """(leaves, K) Friedman's single Newton step of each leaf."""
    outputs = rest.shape[1]
    cells = (leaf * outputs + np.arange(outputs)).reshape(-1)
    slope = np.bincount(cells, rest.reshape(-1), minlength=leaves * outputs)
    curvature = np.bincount(cells, (guess * (1 - guess)).reshape(-1), minlength=leaves * outputs)
    share = (outputs - 1) / outputs if outputs > 1 else 1.0
    safe = curvature > 1e-150
    return (share * np.where(safe, slope / np.where(safe, curvature, 1.0), 0.0)).reshape(
        leaves, outputs
    )
