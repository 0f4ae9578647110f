"""Multinomial logistic regression by Newton's steps, whose cost is one product of matrices each."""

from __future__ import annotations

import warnings
from typing import final

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import Ints

# Newton's steps cost (Z K)² per datum and are few; many weights are left to L-BFGS.
FEW_WEIGHTS = 200
STEPS, HALVINGS = 100, 30
# The largest slope, per datum, of weights that are settled, and of those to begin with.
SETTLED, BEGUN = 1e-6, 1e-3
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
        classes, labelled = np.unique(labels, return_inverse=True)
        outputs = 1 if len(classes) == 2 else len(classes)
        if (codes.shape[1] + 1) * outputs > FEW_WEIGHTS:
            return cls(classes, _by_gradients(codes, labels, price))
        truth = np.eye(len(classes))[labelled][:, -outputs:]
        x = np.column_stack([codes, np.ones(len(codes))])
        weights = np.zeros((x.shape[1], outputs))
        if len(x) > 4 * BEGINNERS:
            few = np.s_[:: len(x) // BEGINNERS]
            share = len(x[few]) / len(x)
            weights = _newton(x[few], truth[few], share / price, weights, BEGUN)
        return cls(classes, _newton(x, truth, 1.0 / price, weights, SETTLED))

    def scores(self, codes: Floats) -> Floats:
        """(N, C) the probability of each class."""
        p = _probabilities(codes @ self.weights[:-1] + self.weights[-1])
        return p if len(self.classes) > 2 else np.concatenate([1 - p, p], axis=1)

    def predict(self, codes: Floats) -> Ints:
        """The likeliest label of each of the codes (N, Z)."""
        outputs = codes @ self.weights[:-1] + self.weights[-1]
        best = outputs.argmax(1) if len(self.classes) > 2 else outputs[:, 0] > 0
        return np.asarray(self.classes[best.astype(np.int64)])


def _by_gradients(codes: Floats, labels: Ints, price: float) -> Floats:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The accuracy has long settled when the weights of separable classes still grow.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=price).fit(codes, labels)
    return np.vstack([fitted.coef_.T, fitted.intercept_])


def _newton(x: Floats, truth: Floats, ridge: float, weights: Floats, settled: float) -> Floats:
    """Weights (Z + 1, K) of the least Σ −log p + ½ ridge |w|², from those given."""
    price = np.full(weights.shape, ridge)
    price[-1] = 0.0
    value, p = _value(x, truth, price, weights)
    for _ in range(STEPS):
        slope = x.T @ (p - truth) + price * weights
        if np.abs(slope).max() <= settled * len(x):
            break
        step = _step(x, p, price, slope)
        gain, size = float((slope * step).sum()), 1.0
        for _ in range(HALVINGS):
            moved = weights - size * step
            found, q = _value(x, truth, price, moved)
            if found <= value - 1e-4 * size * gain:
                break
            size /= 2
        else:
            break
        weights, value, p = moved, found, q
    return weights


def _value(x: Floats, truth: Floats, price: Floats, weights: Floats) -> tuple[float, Floats]:
    """What is made least, and the probabilities (N, K)."""
    outputs = x @ weights
    if outputs.shape[1] == 1:
        loss = np.logaddexp(0.0, outputs) - truth * outputs
        p = _probabilities(outputs)
    else:
        outputs -= outputs.max(1, keepdims=True)
        p = np.exp(outputs)
        total = p.sum(1, keepdims=True)
        p /= total
        loss = np.log(total) - (truth * outputs).sum(1, keepdims=True)
    return float(loss.sum() + 0.5 * (price * weights**2).sum()), p


def _step(x: Floats, p: Floats, price: Floats, slope: Floats) -> Floats:
    """Newton's step (Z + 1, K)."""
    (n, width), outputs = x.shape, p.shape[1]
    curve = np.zeros((width * outputs,) * 2)
    own = np.zeros((width, width * outputs))
    for first in range(0, n, HELD):
        part = x[first : first + HELD]
        weighted = (part[:, :, None] * p[first : first + HELD, None]).reshape(len(part), -1)
        curve -= weighted.T @ weighted
        own += part.T @ weighted
    blocks = curve.reshape(width, outputs, width, outputs)
    for k in range(outputs):
        blocks[:, k, :, k] += own.reshape(width, width, outputs)[:, :, k]
    curve[np.diag_indices_from(curve)] += price.reshape(-1)
    if outputs > 1:
        # The same added to all outputs changes nothing: hold the sum of the last weights.
        blocks[-1, :, -1] += n / outputs**2
    try:
        step = np.linalg.solve(curve, slope.reshape(-1))
    except np.linalg.LinAlgError:
        # Weights without a curve, of separable classes, take the shortest step.
        step = np.linalg.lstsq(curve, slope.reshape(-1))[0]
    return np.asarray(step.reshape(slope.shape))


def _probabilities(outputs: Floats) -> Floats:
    if outputs.shape[1] == 1:
        return np.asarray(np.exp(-np.logaddexp(0.0, -outputs)))
    raised = np.exp(outputs - outputs.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
