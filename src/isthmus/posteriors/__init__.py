"""Posteriors: an encoder's features -> q(z|x)."""

from isthmus.posteriors.autoregressive import InverseAutoregressiveFlow, SplineFlow
from isthmus.posteriors.ball import BallPosterior
from isthmus.posteriors.base import (
    ENCODE_MODES,
    POSTERIORS,
    DiscretePosterior,
    PenalisedPosterior,
    Posterior,
    RefinedPosterior,
    code,
    code_shape,
    gives_integers,
)
from isthmus.posteriors.categorical import CategoricalPosterior
from isthmus.posteriors.concrete import ConcreteSelector
from isthmus.posteriors.delta import Deterministic
from isthmus.posteriors.diagonal import DiagonalGaussian
from isthmus.posteriors.finite_scalar import FiniteScalar
from isthmus.posteriors.flows import AmortisedFlow, PlanarFlow, RadialFlow, SylvesterFlow
from isthmus.posteriors.full_covariance import FullCovarianceGaussian
from isthmus.posteriors.hamiltonian import HamiltonianPosterior
from isthmus.posteriors.heavy_tails import LaplacePosterior, StudentPosterior
from isthmus.posteriors.joint import JointPosterior
from isthmus.posteriors.lookup_free import LookupFree
from isthmus.posteriors.residual_quantised import ResidualQuantised
from isthmus.posteriors.semi_amortised import SemiAmortised, refined
from isthmus.posteriors.sparse import SparsePosterior
from isthmus.posteriors.sparse_largest import BatchTopK, TopK
from isthmus.posteriors.sparse_priced import Gated, JumpReLU, PricedBySize
from isthmus.posteriors.sphere import SpherePosterior
from isthmus.posteriors.vector_quantised import VectorQuantised

__all__ = [
    "ENCODE_MODES",
    "POSTERIORS",
    "AmortisedFlow",
    "BallPosterior",
    "BatchTopK",
    "CategoricalPosterior",
    "ConcreteSelector",
    "Deterministic",
    "DiagonalGaussian",
    "DiscretePosterior",
    "FiniteScalar",
    "FullCovarianceGaussian",
    "Gated",
    "HamiltonianPosterior",
    "InverseAutoregressiveFlow",
    "JointPosterior",
    "JumpReLU",
    "LaplacePosterior",
    "LookupFree",
    "PenalisedPosterior",
    "PlanarFlow",
    "Posterior",
    "PricedBySize",
    "RadialFlow",
    "RefinedPosterior",
    "ResidualQuantised",
    "SemiAmortised",
    "SparsePosterior",
    "SpherePosterior",
    "SplineFlow",
    "StudentPosterior",
    "SylvesterFlow",
    "TopK",
    "VectorQuantised",
    "code",
    "code_shape",
    "gives_integers",
    "refined",
]
