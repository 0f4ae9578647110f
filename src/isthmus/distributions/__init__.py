"""Densities that PyTorch lacks, or computes too slowly or too loosely for a training step."""

from __future__ import annotations

from isthmus.distributions.bernoulli import Bernoulli
from isthmus.distributions.categorical import Categorical
from isthmus.distributions.continuous_bernoulli import ContinuousBernoulli
from isthmus.distributions.delta import Delta
from isthmus.distributions.event import EventDistribution
from isthmus.distributions.laplace import DiagonalLaplace
from isthmus.distributions.negative_binomial import NegativeBinomial
from isthmus.distributions.normal import DiagonalNormal
from isthmus.distributions.poisson import Poisson

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Delta",
    "DiagonalLaplace",
    "DiagonalNormal",
    "EventDistribution",
    "NegativeBinomial",
    "Poisson",
]
