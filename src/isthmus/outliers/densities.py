"""How likely a datum is to the model, and what to make of it."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, told

# Rows of the training data that the entropy is averaged over, at most.
ENTROPY_ROWS = 1000
# Draws of z per datum where the rate has no closed form.
RATE_SAMPLES = 16


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
        return -np.asarray(model.rates(X, **told(condition)))


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
        given = None if condition is None else condition[chosen]
        self.entropy_ = -float(np.mean(_log_p(model, X[chosen], given)))
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return -np.abs(-_log_p(model, X, condition) - self.entropy_)


def _log_p(model: Trained, X: Floats, condition: Any) -> Floats:
    return np.asarray(model.score_samples(X, **told(condition)))
