"""The two classifiers that measures fit to codes, behind one face."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.boosting import Boosting
from isthmus.metrics.disentanglement.inputs import Ints
from isthmus.registry import Registry

FOLDS = 5
PRICES = np.logspace(-4, 4, 10)


class Classifier(Protocol):
    """What was fitted."""

    def predict(self, codes: Floats) -> Ints:
        """Labels (N,) of codes (N, Z)."""


PREDICTORS = Registry("predictor")


def logistic(codes: Floats, labels: Ints, price: float = 1.0) -> Any:
    """scikit-learn's multinomial logistic regression: ½ |w|² + C Σ −log p.

    Args:
        codes: (N, Z).
        labels: (N,) at least two classes.
        price: C.
    """
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # Newton's steps cost (Z K)² each and are few; many weights are left to L-BFGS.
    few = (codes.shape[1] + 1) * len(np.unique(labels)) <= 200
    with warnings.catch_warnings():
        # The accuracy has long settled when the weights of separable classes still grow.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        return LogisticRegression(C=price, solver="newton-cholesky" if few else "lbfgs").fit(
            codes, labels
        )


@PREDICTORS.register("trees")
def trees(codes: Floats, labels: Ints, seed: int) -> Classifier:
    """Gradient boosting of 100 trees of depth 3, as `Boosting` has it."""
    return Boosting.fit(codes, labels, seed)


@PREDICTORS.register("logistic")
def chosen_logistic(codes: Floats, labels: Ints, seed: int) -> Classifier:
    """Logistic regression whose C, of ten from 1e-4 to 1e4, is chosen over five folds.

    Where a fold would lack a class or all rows, C is 1.
    """
    classes, labelled = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        return Boosting.fit(codes, labels, seed)
    parts = np.array_split(np.arange(len(codes)), FOLDS)
    folds = [(np.setdiff1d(np.arange(len(codes)), part), part) for part in parts]
    short = len(codes) < FOLDS
    if short or any(len(np.unique(labelled[rest])) < len(classes) for rest, _ in folds):
        return logistic(codes, labels)
    scores = [
        np.mean([logistic(codes[a], labels[a], c).score(codes[b], labels[b]) for a, b in folds])
        for c in PRICES
    ]
    return logistic(codes, labels, float(PRICES[int(np.argmax(scores))]))
