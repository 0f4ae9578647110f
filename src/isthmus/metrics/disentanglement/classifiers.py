"""The two classifiers that measures fit to codes, behind one face."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.boosting import Boosting
from isthmus.metrics.disentanglement.inputs import Ints
from isthmus.metrics.disentanglement.logistic import Logistic
from isthmus.registry import Registry

FOLDS = 5
PRICES = np.logspace(-4, 4, 10)


class Classifier(Protocol):
    """What was fitted."""

    def predict(self, codes: Floats) -> Ints:
        """Labels (N,) of codes (N, Z)."""


PREDICTORS = Registry("predictor")


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
        return Logistic.fit(codes, labels)
    scores = [
        np.mean(
            [
                (Logistic.fit(codes[a], labels[a], c).predict(codes[b]) == labels[b]).mean()
                for a, b in folds
            ]
        )
        for c in PRICES
    ]
    return Logistic.fit(codes, labels, float(PRICES[int(np.argmax(scores))]))
