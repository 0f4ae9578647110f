"""Multinomial logistic regression by Newton's steps on a tenth of the data, and secants on all."""

from __future__ import annotations

import warnings
from typing import final

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints, ranks

# Newton's steps cost (Z K)² per datum and are few; many weights are left to L-BFGS.
FEW_WEIGHTS = 200
STEPS, HALVINGS = 100, 30
# The largest slope, per datum, of weights that are settled, and of those to begin with.
SETTLED, BEGUN = 1e-6, 3e-3
# Data that a beginning is found on, and that are looked at together.
BEGINNERS, HELD = 1000, 1024


@final
class Logistic:
    """Fitted weights.

    Args:
        classes: (C,) labels in ascending order.
        weights: (Z + 1, K), the last row what is added; K is 1 for two classes and else C.
    """

    def __init__(self, classes: Ints, weights: Floats) -> None:
        self.classes, self.weights = classes, weights

    @classmethod
    def fit(cls, codes: Floats, labels: Ints, price: float = 1.0) -> Logistic:
        """The minimum of ½ |w|² + C Σ −log p, as scikit-learn has it.

        Args:
            codes: (N, Z).
            labels: (N,) at least two classes.
            price: C.
        """
        classes, labelled = ranks(labels)
        outputs = 1 if len(classes) == 2 else len(classes)
        if (codes.shape[1] + 1) * outputs > FEW_WEIGHTS:
            return cls(classes, _by_gradients(codes, labels, price))
        truth = np.ascontiguousarray(np.eye(len(classes))[-outputs:].take(labelled, axis=1))
        x = np.ascontiguousarray(np.vstack([codes.T, np.ones(len(codes))]))
        data = _Data(x, truth, 1.0 / price)
        weights = np.zeros((outputs, len(x)))
        if len(codes) > 4 * BEGINNERS:
            few = data.every(len(codes) // BEGINNERS)
            weights = _secant(data, few, _newton(few, weights, BEGUN))
        return cls(classes, _newton(data, weights, SETTLED).T)

    def scores(self, codes: Floats) -> Floats:
        """(N, C) the probability of each class."""
        p = _probabilities(self._outputs(codes))
        return (p if len(self.classes) > 2 else np.concatenate([1 - p, p])).T

    def predict(self, codes: Floats) -> Ints:
        """The likeliest label of each of the codes (N, Z)."""
        outputs = self._outputs(codes)
        best = outputs.argmax(0) if len(self.classes) > 2 else outputs[0] > 0
        return np.asarray(self.classes[best.astype(np.int64)])

    def _outputs(self, codes: Floats) -> Floats:
        """(K, N)."""
        return np.asarray(self.weights[:-1].T @ codes.T + self.weights[-1][:, None])


def _by_gradients(codes: Floats, labels: Ints, price: float) -> Floats:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The accuracy has long settled when the weights of separable classes still grow.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=price).fit(codes, labels)
    return np.vstack([fitted.coef_.T, fitted.intercept_])


@final
class _Data:
    """What is made least: Σ −log p + ½ ridge |w|² of weights (K, Z + 1), the last not weighed.

    Args:
        x: (Z + 1, N), the last row ones.
        truth: (K, N) whether each datum is of the class; of two classes the second alone.
        ridge: Of all weights but the last.
    """

    def __init__(self, x: Floats, truth: Floats, ridge: float) -> None:
        self.x, self.truth, self.ridge = x, truth, ridge
        self._wanted = truth @ x.T
        self._price = np.full(len(x), ridge)
        self._price[-1] = 0.0

    def every(self, step: int) -> _Data:
        """Every so many-th datum, and as much less of the ridge."""
        x, truth = (np.ascontiguousarray(part[:, ::step]) for part in (self.x, self.truth))
        return _Data(x, truth, self.ridge * x.shape[1] / self.x.shape[1])

    def value(self, weights: Floats) -> tuple[float, Floats]:
        """What is made least, and the probabilities (K, N)."""
        outputs = weights @ self.x
        if len(outputs) == 1:
            total, p = np.logaddexp(0.0, outputs).sum(), _probabilities(outputs)
        else:
            top = outputs.max(0)
            outputs -= top
            p = np.exp(outputs, out=outputs)
            sums = p.sum(0)
            p /= sums
            total = np.log(sums).sum() + top.sum()
        penalty = 0.5 * (self._price * weights**2).sum()
        return float(total - (weights * self._wanted).sum() + penalty), p

    def slope(self, weights: Floats, p: Floats) -> Floats:
        """(K, Z + 1) of what is made least."""
        return np.asarray(p @ self.x.T - self._wanted + self._price * weights)

    def curve(self, p: Floats) -> Floats:
        """The second derivative (K (Z + 1), K (Z + 1)) of what is made least."""
        (outputs, n), width = p.shape, len(self.x)
        both = np.zeros((outputs * width,) * 2)
        for first in range(0, n, HELD):
            part = slice(first, first + HELD)
            weighted = (p[:, None, part] * self.x[:, part]).reshape(outputs * width, -1)
            both += weighted @ weighted.T
        blocks = both.reshape(outputs, width, outputs, width)
        # Of all classes the probabilities sum to 1, and their products to each one's own.
        own = blocks.sum(2) if outputs > 1 else ((p * self.x) @ self.x.T)[None]
        found = -both
        blocks = found.reshape(blocks.shape)
        for k, block in enumerate(own):
            blocks[k, :, k] += block
        found[np.diag_indices_from(found)] += np.tile(self._price, outputs)
        if outputs > 1:
            # The same added to all outputs changes nothing: hold the sum of the last weights.
            blocks[:, -1, :, -1] += n / outputs**2
        return found


def _newton(data: _Data, weights: Floats, settled: float) -> Floats:
    """The best weights by Newton's steps from those given."""
    value, p = data.value(weights)
    for _ in range(STEPS):
        slope = data.slope(weights, p)
        if np.abs(slope).max() <= settled * p.shape[1]:
            break
        moved = _line(data, weights, value, slope, _solved(data.curve(p), slope))
        if moved is None:
            break
        weights, value, p = moved
    return weights


def _secant(data: _Data, few: _Data, weights: Floats) -> Floats:
    """Better weights by Broyden, Fletcher, Goldfarb and Shanno's steps from those given.

    They begin with the curve of a few of the data, which saves that of all.
    """
    try:
        inverse = np.asarray(np.linalg.inv(few.curve(few.value(weights)[1])), dtype=np.float64)
    except np.linalg.LinAlgError:
        return weights
    inverse *= few.ridge / data.ridge
    value, p = data.value(weights)
    slope = data.slope(weights, p)
    for _ in range(STEPS):
        if np.abs(slope).max() <= SETTLED * p.shape[1]:
            break
        moved = _line(data, weights, value, slope, inverse @ slope.reshape(-1))
        if moved is None:
            break
        before = weights, slope
        weights, value, p = moved
        slope = data.slope(weights, p)
        _learn(inverse, weights - before[0], slope - before[1])
    return weights


def _learn(inverse: Floats, move: Floats, change: Floats) -> None:
    """Make the inverse of a curve agree with how much a move has changed the slope."""
    move, change = move.reshape(-1), change.reshape(-1)
    along = move @ change
    if along > 0:
        seen = inverse @ change
        cross = np.multiply.outer(move / along, seen)
        inverse += np.multiply.outer(move, move) * ((1.0 + change @ seen / along) / along)
        inverse -= cross + cross.T


def _line(
    data: _Data, weights: Floats, value: float, slope: Floats, step: Floats
) -> tuple[Floats, float, Floats] | None:
    """Weights, their value and p, as far against the step as that pays; None if nowhere does."""
    step = step.reshape(slope.shape)
    gain, size = float((slope * step).sum()), 1.0
    if not gain > 0:
        return None
    for _ in range(HALVINGS):
        moved = weights - size * step
        found, p = data.value(moved)
        if found <= value - 1e-4 * size * gain:
            return moved, found, p
        size /= 2
    return None


def _solved(curve: Floats, slope: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(curve, slope.reshape(-1)))
    except np.linalg.LinAlgError:
        # Weights without a curve, of separable classes, take the shortest step.
        return np.asarray(np.linalg.lstsq(curve, slope.reshape(-1))[0])


def _probabilities(outputs: Floats) -> Floats:
    """(K, N) of outputs (K, N); a single one is that of the second of two classes."""
    if len(outputs) == 1:
        return np.asarray(np.exp(-np.logaddexp(0.0, -outputs)))
    raised = np.exp(outputs - outputs.max(0))
    return np.asarray(raised / raised.sum(0))
