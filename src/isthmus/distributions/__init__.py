"""Densities that PyTorch lacks, or computes too slowly or too loosely for a training step."""

from __future__ import annotations

from isthmus.distributions.bernoulli import Bernoulli
from isthmus.distributions.bijections import Affine, Planar, Radial, Sylvester
from isthmus.distributions.categorical import Categorical
from isthmus.distributions.continuous_bernoulli import ContinuousBernoulli
from isthmus.distributions.delta import Delta, PointMass, SparseDelta
from isthmus.distributions.event import EventDistribution
from isthmus.distributions.full_precision import FullPrecision
from isthmus.distributions.geometry import KernelMetric, NormalWithFactor
from isthmus.distributions.hamiltonian import HamiltonianDistribution
from isthmus.distributions.joint import ContinuousOneHot
from isthmus.distributions.joint_normal import FullNormal, JointNormal, LowRankNormal
from isthmus.distributions.labelled import LabelledNormal, Stratified
from isthmus.distributions.ladder import LadderNormal
from isthmus.distributions.laplace import DiagonalLaplace
from isthmus.distributions.location_scale import LocationScale
from isthmus.distributions.mixture import EqualMixture, NormalMixture
from isthmus.distributions.negative_binomial import NegativeBinomial
from isthmus.distributions.normal import DiagonalNormal
from isthmus.distributions.observed import Observed
from isthmus.distributions.one_hot import OneHotCategorical
from isthmus.distributions.poisson import Poisson
from isthmus.distributions.pushforward import Bijection, Pushforward
from isthmus.distributions.quantised import Quantised
from isthmus.distributions.student import DiagonalStudent
from isthmus.distributions.traced import TracedDistribution
from isthmus.distributions.von_mises_fisher import SphereUniform, VonMisesFisher
from isthmus.distributions.wrapped_normal import WrappedNormal

__all__ = [
    "Affine",
    "Bernoulli",
    "Bijection",
    "Categorical",
    "ContinuousBernoulli",
    "ContinuousOneHot",
    "Delta",
    "DiagonalLaplace",
    "DiagonalNormal",
    "DiagonalStudent",
    "EqualMixture",
    "EventDistribution",
    "FullNormal",
    "FullPrecision",
    "HamiltonianDistribution",
    "JointNormal",
    "KernelMetric",
    "LabelledNormal",
    "LadderNormal",
    "LocationScale",
    "LowRankNormal",
    "NegativeBinomial",
    "NormalMixture",
    "NormalWithFactor",
    "Observed",
    "OneHotCategorical",
    "Planar",
    "PointMass",
    "Poisson",
    "Pushforward",
    "Quantised",
    "Radial",
    "SparseDelta",
    "SphereUniform",
    "Stratified",
    "Sylvester",
    "TracedDistribution",
    "VonMisesFisher",
    "WrappedNormal",
]
