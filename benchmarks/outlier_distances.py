"""Distances by which anomaly_default.py ranks rows, and ways of putting several together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from isthmus.estimators import OutlierDetector
from isthmus.outliers import SCORES

NEAREST, VIEWS, CALIBRATED = 5, 20, 500
Pair = list[np.ndarray]  # Of the known rows and of the asked ones.


def nearest(known: np.ndarray, rows: np.ndarray, asked: np.ndarray, metric: str) -> Pair:
    """The distances (N, 5) to known of `rows`, the i-th no neighbour of itself, and of `asked`."""
    index = NearestNeighbors(n_neighbors=NEAREST + 1, metric=metric).fit(known)
    far, which = index.kneighbors(rows)
    own = which == np.arange(len(rows))[:, None]
    own[~own.any(1), -1] = True
    return [far[~own].reshape(len(rows), NEAREST), index.kneighbors(asked)[0][:, :NEAREST]]


def fifth(known: np.ndarray, rows: np.ndarray, asked: np.ndarray, metric: str = "l2") -> Pair:
    return [far[:, -1] for far in nearest(known, rows, asked, metric)]


def mean_of_five(known: np.ndarray, rows: np.ndarray, asked: np.ndarray, metric: str) -> Pair:
    return [far.mean(1) for far in nearest(known, rows, asked, metric)]


def levelled(of_known: np.ndarray, of_asked: np.ndarray) -> Pair:
    """Both as log(1 + d / m), d at least 0."""
    mean = max(float(of_known.mean()), 1e-12)
    return [np.log1p(np.maximum(d, 0) / mean) for d in (of_known, of_asked)]


def together(*parts: Pair) -> np.ndarray:
    """The sum of several distances of the asked rows, each in units of its own spread."""
    return added(*(levelled(*part) for part in parts))


def added(*parts: Pair) -> np.ndarray:
    """The sum of several levels of the asked rows, each in units of its own spread."""
    return np.sum([asked / max(float(known.std()), 1e-12) for known, asked in parts], 0)


def isolated(known: np.ndarray, asked: np.ndarray, seed: int) -> Pair:
    forest = IsolationForest(random_state=seed).fit(known)
    return [-forest.score_samples(rows) for rows in (known, asked)]


def tails(known: np.ndarray, asked: np.ndarray) -> Pair:
    """Of each row the sum over columns of -log of the two-sided tail probability."""
    totals = [np.zeros(len(rows)) for rows in (known, asked)]
    for column in range(known.shape[1]):
        ordered, n = np.sort(known[:, column]), len(known)
        for total, rows in zip(totals, (known, asked), strict=True):
            below = np.searchsorted(ordered, rows[:, column], "right")
            above = n - np.searchsorted(ordered, rows[:, column], "left")
            total -= np.log(np.minimum(2 * np.minimum(below, above) + 1, n) / n)
    return totals


class Trained:
    """A recipe trained on the known rows, and its distances of known and asked rows."""

    def __init__(self, recipe: str, known: np.ndarray, asked: np.ndarray, seed: int) -> None:
        detector = OutlierDetector(recipe, threads=1, standardise=False, random_state=seed)
        self.model: Any = detector.fit(known).autoencoder_
        self.rebuilt: np.ndarray = self.model.inverse_transform(self.model.transform(known))
        self.rows, self.seed = (known, asked), seed
        self.near = fifth(self.rebuilt, known, asked)

    def usual(self, criterion: str, rows: np.ndarray) -> Any:
        return SCORES.create(criterion).fit(self.model, self.rows[0]).usual(self.model, rows)

    def latent(self) -> Pair:
        score: Any = SCORES.create("latent").fit(self.model, self.rows[0])
        levels = [score.usual(self.model, rows) + score.constant_ for rows in self.rows]
        return [np.sqrt(np.maximum(-2 * level, 0)) for level in levels]

    def error(self) -> Pair:
        return [np.sqrt(-self.usual("reconstruction", rows)) for rows in self.rows]

    def city_error(self) -> Pair:
        answers = [(x, self.model.transform(x)) for x in self.rows]
        return [np.abs(x - self.model.inverse_transform(z)).sum(1) for x, z in answers]

    def five(self, metric: str) -> Pair:
        return mean_of_five(self.rebuilt, *self.rows, metric)

    def likelihood(self) -> Pair:
        known, asked = self.rows
        some = np.random.default_rng(self.seed).permutation(len(known))[:CALIBRATED]
        found = [-self.usual("likelihood", rows) for rows in (known[some], asked)]
        return [values - found[0].min() for values in found]

    def views(self) -> np.ndarray:
        """The mean over random halves of the columns of the distance within them."""
        draw, width = np.random.default_rng(self.seed), self.rebuilt.shape[1]
        kept = [draw.permutation(width)[: -(-width // 2)] for _ in range(VIEWS)]
        parts = [fifth(*(x[:, v] for x in (self.rebuilt, *self.rows))) for v in kept]
        return np.mean([levelled(*part)[1] for part in parts], 0)


def several(known: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """The sum over autoencoders of other rows and columns of the distance to reconstructions."""
    draw, (rows, width) = np.random.default_rng(seed), known.shape
    total, seen = np.zeros(len(asked)), -(-7 * rows // 10)
    for member in range(4):
        order = draw.permutation(rows)
        kept = draw.permutation(width)[: draw.integers(-(-width // 2), width + 1)]
        every = known[order[:seen]], known[order[seen:]], asked
        within, unseen, new = (x[:, kept] for x in every)
        rebuilt = Trained("ae", within, new, 1000 * seed + member).rebuilt
        near = NearestNeighbors(n_neighbors=NEAREST).fit(rebuilt)
        total += levelled(*(near.kneighbors(x)[0][:, -1] for x in (unseen, new)))[1]
    return total
