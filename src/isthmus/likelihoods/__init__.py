"""Likelihoods p(x|z): decoder output in, one normalised density over a datum out."""

from __future__ import annotations

from isthmus.likelihoods.base import LIKELIHOODS, Likelihood, default_likelihood
from isthmus.likelihoods.bernoulli import BernoulliLikelihood
from isthmus.likelihoods.categorical import CategoricalLikelihood
from isthmus.likelihoods.continuous_bernoulli import ContinuousBernoulliLikelihood
from isthmus.likelihoods.gaussian import (
    DatumGaussianLikelihood,
    GaussianLikelihood,
    SharedGaussianLikelihood,
)
from isthmus.likelihoods.gaussian_optimal import OptimalGaussianLikelihood
from isthmus.likelihoods.laplace import LaplaceLikelihood
from isthmus.likelihoods.negative_binomial import NegativeBinomialLikelihood
from isthmus.likelihoods.observed import ObservedLikelihood
from isthmus.likelihoods.poisson import PoissonLikelihood

__all__ = [
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "CategoricalLikelihood",
    "ContinuousBernoulliLikelihood",
    "DatumGaussianLikelihood",
    "GaussianLikelihood",
    "LaplaceLikelihood",
    "Likelihood",
    "NegativeBinomialLikelihood",
    "ObservedLikelihood",
    "OptimalGaussianLikelihood",
    "PoissonLikelihood",
    "SharedGaussianLikelihood",
    "default_likelihood",
]
