"""How usual a datum is to a trained model: the scores that `OutlierDetector` chooses from by name.

Every score is higher for the more usual datum, as scikit-learn has it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self, final

import numpy as np
from torch import Tensor

from isthmus.estimators.answers import by_row
from isthmus.estimators.models import Autoencoder
from isthmus.estimators.trained import Floats
from isthmus.model import LatentModel
from isthmus.registry import Registry

SCORES = Registry("outlier score")
# Rows of the training data that the entropy is averaged over, at most.
ENTROPY_ROWS = 1000
# Draws of z per datum where the rate has no closed form.
RATE_SAMPLES = 16
# How many of the nearest training data the distance is averaged over.
NEIGHBOURS = 5


class OutlierScore(ABC):
    """What is asked of a trained estimator about new data.

    Attributes:
        needs_density: Whether it asks for a posterior with a density.
    """

    needs_density = False

    @abstractmethod
    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        """Look at the training data (N, F) of the trained estimator once."""

    @abstractmethod
    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        """How usual each row of X (N, F) is: (N,), higher for the more usual."""


@final
@SCORES.register("reconstruction")
class ReconstructionScore(OutlierScore):
    """−‖x − x̂‖², x̂ the data rebuilt from the mean code: what the model has no words for."""

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        rebuilt = estimator.inverse_transform(estimator.transform(X))
        return -np.square(X - rebuilt).sum(1)


@final
@SCORES.register("likelihood")
class LikelihoodScore(OutlierScore):
    """log p(x) in nats, by importance sampling."""

    needs_density = True

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        return np.asarray(estimator.score_samples(X))


@final
@SCORES.register("kl")
class RateScore(OutlierScore):
    """−KL(q(z|x) ‖ p(z)) in nats: how far from the prior the datum is coded."""

    needs_density = True

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        return -estimator._answer(X, estimator.spec_.shape, _rates)


def _rates(model: LatentModel, x: Tensor, _: Tensor | None) -> Tensor:
    return by_row(x, lambda row, _: model.evidence(row, RATE_SAMPLES, decoded=False).rate.detach())


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

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        self.mean_ = X.mean(0)
        scale = X.std(0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        standard = (X - self.mean_) / self.scale_
        constant = np.log(self.scale_).sum() + 0.5 * X.shape[1] * np.log(2 * np.pi)
        background = -0.5 * np.square(standard).sum(1) - constant
        return np.asarray(estimator.score_samples(X)) - background


@final
@SCORES.register("latent")
class LatentScore(OutlierScore):
    """log N(z; m, S) of the mean code, with mean m and covariance S of the training codes.

    A Mahalanobis distance, in nats. Dimensions that do not vary count for nothing.
    """

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        codes = estimator.transform(X)
        self.mean_ = codes.mean(0)
        covariance = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
        values, axes = np.linalg.eigh(covariance)
        kept = values > values.max() * 1e-10
        self.whitening_ = axes[:, kept] / np.sqrt(values[kept])
        self.constant_ = 0.5 * np.log(2 * np.pi * values[kept]).sum()
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        white = (estimator.transform(X) - self.mean_) @ self.whitening_
        return -0.5 * np.square(white).sum(1) - self.constant_


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

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        chosen = np.random.RandomState(0).permutation(len(X))[:ENTROPY_ROWS]
        self.entropy_ = -float(np.mean(estimator.score_samples(X[chosen])))
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        return -np.abs(-np.asarray(estimator.score_samples(X)) - self.entropy_)


@final
@SCORES.register("neighbours")
class NeighbourScore(OutlierScore):
    """−(‖x − x̂_(1)‖ + … + ‖x − x̂_(5)‖) / 5, the nearest reconstructions of training data.

    A datum off the surface that the model decodes to is far from all of them, and so is one on that
    surface where no training datum lies: it sees both what the reconstruction error sees and what
    the density of codes sees, in the data's own units.
    """

    def fit(self, estimator: Autoencoder, X: Floats) -> Self:
        from sklearn.neighbors import NearestNeighbors

        rebuilt = estimator.inverse_transform(estimator.transform(X))
        self.neighbours_: Any = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(X))).fit(rebuilt)
        return self

    def usual(self, estimator: Autoencoder, X: Floats) -> Floats:
        distances, _ = self.neighbours_.kneighbors(X)
        return np.asarray(-distances.mean(1), dtype=np.float64)
