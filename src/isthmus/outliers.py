"""How usual a datum is to a trained model: the scores that outliers are found by, each by its name.

Every score is higher for the more usual datum, as scikit-learn has it. It speaks to anything that
answers as a `Trained` model does: an estimator, or a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, Self, final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.registry import Registry

SCORES = Registry("outlier score")
Floats = NDArray[np.floating[Any]]
# Rows of the training data that the entropy is averaged over, at most.
ENTROPY_ROWS = 1000
# Draws of z per datum where the rate has no closed form.
RATE_SAMPLES = 16
# How many of the nearest training data the distance is averaged over.
NEIGHBOURS = 5
# Between rows of more numbers distances are Euclidean: city-block ones take fifteen times as long,
# and gain where single columns lie far out, which among so many decide little.
WIDE = 256
FURTHEST = float(np.finfo(np.float32).max)


class Trained(Protocol):
    """What a score asks of a trained model, in scikit-learn's words.

    The condition (N, C) of a conditional model comes by keyword, and to no other model.
    """

    def transform(self, X: Any, condition: Any = None) -> Any:
        """The mean codes (N, Z) of rows (N, F)."""

    def inverse_transform(self, X: Any, condition: Any = None) -> Any:
        """The rows (N, F) that codes (N, Z) stand for."""

    def score_samples(self, X: Any, *, condition: Any = None) -> Any:
        """The log density of rows (N, F): (N,) nats."""

    def rates(self, X: Any, condition: Any = None) -> Any:
        """KL(q(z|x) ‖ p(z)) of rows (N, F): (N,) nats."""


class OutlierScore(ABC):
    """What is asked of a trained model about new data.

    Attributes:
        needs_density: Whether it asks for a posterior with a density.
        by_distance: Whether it measures distances between rows, so that a column counts for as much
            as it scatters.
        of_known: (N,) what `usual` says of the rows that `fit` looked at, where that had to be
            found out for it; else None.
    """

    needs_density = False
    by_distance = False
    of_known: Floats | None = None

    @abstractmethod
    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        """Look at the model's training data (N, F) once, given their conditions (N, C)."""

    @abstractmethod
    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        """How usual each row of X (N, F) is, given (N, C): (N,), higher for the more usual."""


def needs_density(score: Any) -> bool:
    """Whether a class of scores asks for a density."""
    return bool(score.needs_density)


def rebuilt(model: Trained, X: Floats, condition: Any = None) -> Floats:
    """Rows of data (N, F) after the mean code and back: (N, F)."""
    told = _told(condition)
    back: Floats = model.inverse_transform(model.transform(X, **told), **told)
    return back


def _log_p(model: Trained, X: Floats, condition: Any) -> Floats:
    return np.asarray(model.score_samples(X, **_told(condition)))


def _told(condition: Any) -> dict[str, Any]:
    return {} if condition is None else {"condition": condition}


@final
@SCORES.register("neighbours")
class NeighbourScore(OutlierScore):
    """−(log(1 + d/d̄) / s + log(1 + e/ē) / t): d is the mean distance to the five nearest training
    rows, e that to the five nearest reconstructions of training rows.

    d̄ and ē are the means over the training rows, s and t the standard deviations of the two
    logarithms over them. A training row has no neighbour in itself nor in its own reconstruction,
    so that it scores as a new one does. A datum off the surface that the model decodes to is far
    from all reconstructions, and so is one on it where no training datum lies; a usual datum that
    the model rebuilds badly is near training rows at least. Distances are city-block ones, or
    Euclidean where a row has more than 256 numbers.

    Raises:
        DataError: There are fewer than two training rows.
    """

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        if len(X) < 2:
            raise DataError("There is one training row; the score 'neighbours' needs at least two.")
        self._places = {row.tobytes(): i for i, row in enumerate(X)}
        own = self._own(X)
        self._near = _Nearest(X, X, own)
        self._near_surface = _Nearest(rebuilt(model, X, condition), X, own)
        self.of_known: Floats = -self._near.of_rows - self._near_surface.of_rows
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        own = self._own(X)
        return -self._near.levels(X, own) - self._near_surface.levels(X, own)

    def _own(self, X: Floats) -> NDArray[np.int64]:
        """Which training row each row (N, F) is; -1 for others."""
        return np.array([self._places.get(row.tobytes(), -1) for row in X], dtype=np.int64)


@final
class _Nearest:
    """How far the nearest of known rows are, on a scale that the training rows set.

    Args:
        known: (N, F).
        rows: (N, F) training rows.
        own: (N,) which of the known rows is no neighbour of each.

    Attributes:
        of_rows: (N,) the training rows' levels.
    """

    def __init__(self, known: Floats, rows: Floats, own: NDArray[np.int64]) -> None:
        from sklearn.neighbors import NearestNeighbors

        self._count = min(NEIGHBOURS, len(known) - 1)
        metric = "manhattan" if known.shape[1] <= WIDE else "euclidean"
        self._index: Any = NearestNeighbors(n_neighbors=self._count + 1, metric=metric).fit(known)
        distances = self._distances(rows, own)
        self._mean = float(distances.mean()) or 1.0
        self._spread = float(np.log1p(distances / self._mean).std()) or 1.0
        self.of_rows = self._levelled(distances)

    def levels(self, rows: Floats, own: NDArray[np.int64]) -> Floats:
        """(M,) of rows (M, F), the own ones (M,) of the known left out."""
        return self._levelled(self._distances(rows, own))

    def _levelled(self, distances: Floats) -> Floats:
        levels: Floats = np.log1p(distances / self._mean) / self._spread
        return levels

    def _distances(self, rows: Floats, own: NDArray[np.int64]) -> Floats:
        far, which = self._index.kneighbors(rows)
        left_out = which == own[:, None]
        left_out[~left_out.any(1), -1] = True
        mean: Floats = far[~left_out].reshape(len(rows), self._count).mean(1)
        return mean


@final
@SCORES.register("ensemble")
class EnsembleScore(OutlierScore):
    """−(n / s + f / t): n is what `neighbours` says, f what an isolation forest says of each row
    together with its code and its errors |x − x̂| by column.

    s and t are the standard deviations of the two over the training rows. Neighbours see what is
    far from everything, a forest what stands out in a few columns, and where the one is misled by
    many columns that tell nothing, the other seldom is.

    Raises:
        DataError: There are fewer than two training rows.

    Reference:
        Liu, Ting and Zhou, Isolation Forest, ICDM 2008; Aggarwal and Sathe, Theoretical Foundations
        and Algorithms for Outlier Ensembles, SIGKDD Explorations 2015.
    """

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        from sklearn.ensemble import IsolationForest

        self._neighbours = NeighbourScore().fit(model, X, condition)
        views = _views(model, X, condition)
        self._forest: Any = IsolationForest(random_state=0).fit(views)
        near, apart = self._neighbours.of_known, self._forest.score_samples(views)
        self._spreads = float(near.std()) or 1.0, float(apart.std()) or 1.0
        self.of_known = self._sum(near, apart)
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        near = self._neighbours.usual(model, X, condition)
        return self._sum(near, self._forest.score_samples(_views(model, X, condition)))

    def _sum(self, near: Floats, apart: Floats) -> Floats:
        return near / self._spreads[0] + apart / self._spreads[1]


def _views(model: Trained, X: Floats, condition: Any) -> Floats:
    """Rows (N, F) with their codes and their errors: (N, F + Z + F), within single precision."""
    told = _told(condition)
    codes = np.asarray(model.transform(X, **told))
    back = model.inverse_transform(codes, **told)
    views = np.hstack([X, codes.reshape(len(X), -1), np.abs(X - back)])
    # Trees read single precision, and a row may lie so far out that its code overflows.
    return np.nan_to_num(np.clip(views, -FURTHEST, FURTHEST), nan=FURTHEST)


@final
@SCORES.register("reconstruction")
class ReconstructionScore(OutlierScore):
    """−‖x − x̂‖², x̂ the data rebuilt from the mean code: what the model has no words for."""

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return -np.square(X - rebuilt(model, X, condition)).sum(1)


@final
@SCORES.register("likelihood")
class LikelihoodScore(OutlierScore):
    """log p(x) in nats, by importance sampling."""

    needs_density = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return _log_p(model, X, condition)


@final
@SCORES.register("kl")
class RateScore(OutlierScore):
    """−KL(q(z|x) ‖ p(z)) in nats: how far from the prior the datum is coded."""

    needs_density = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return -np.asarray(model.rates(X, **_told(condition)))


@final
@SCORES.register("likelihood-ratio")
class LikelihoodRatioScore(OutlierScore):
    """log p(x) − log b(x): what the model knows beyond a background b of independent Gaussians.

    The background has the training data's mean and variance in each column and nothing else, so
    that the ratio tells what is wrong between columns, whatever is far out in one of them.

    Reference:
        Ren et al., Likelihood Ratios for Out-of-Distribution Detection, arXiv 1906.02845, whose
        background is a second model of perturbed data.
    """

    needs_density = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        self.mean_ = X.mean(0)
        scale = X.std(0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        standard = (X - self.mean_) / self.scale_
        constant = np.log(self.scale_).sum() + 0.5 * X.shape[1] * np.log(2 * np.pi)
        background = -0.5 * np.square(standard).sum(1) - constant
        return _log_p(model, X, condition) - background


@final
@SCORES.register("latent")
class LatentScore(OutlierScore):
    """log N(z; m, S) of the mean code, with mean m and covariance S of the training codes.

    A Mahalanobis distance, in nats. Dimensions that do not vary count for nothing.
    """

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        codes = model.transform(X, **_told(condition))
        self.mean_ = codes.mean(0)
        covariance = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
        values, axes = np.linalg.eigh(covariance)
        kept = values > values.max() * 1e-10
        self.whitening_ = axes[:, kept] / np.sqrt(values[kept])
        self.constant_ = 0.5 * np.log(2 * np.pi * values[kept]).sum()
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        white = (model.transform(X, **_told(condition)) - self.mean_) @ self.whitening_
        found: Floats = -0.5 * np.square(white).sum(1) - self.constant_
        return found


@final
@SCORES.register("typicality")
class TypicalityScore(OutlierScore):
    """−|−log p(x) − H|, with H the mean of −log p over training data: neither too odd nor too fit.

    The test of typicality for a single datum.

    Reference:
        Nalisnick et al., Detecting Out-of-Distribution Inputs to Deep Generative Models Using
        Typicality, arXiv 1906.02994.
    """

    needs_density = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        chosen = np.random.RandomState(0).permutation(len(X))[:ENTROPY_ROWS]
        told = None if condition is None else condition[chosen]
        self.entropy_ = -float(np.mean(_log_p(model, X[chosen], told)))
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return -np.abs(-_log_p(model, X, condition) - self.entropy_)
