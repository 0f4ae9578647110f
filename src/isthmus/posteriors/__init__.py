"""Posteriors: an encoder's features -> q(z|x)."""

from isthmus.posteriors.autoregressive import InverseAutoregressiveFlow, SplineFlow
from isthmus.posteriors.ball import BallPosterior
from isthmus.posteriors.base import (
    ENCODE_MODES,
    POSTERIORS,
    ClassifyingPosterior,
    DiscretePosterior,
    PenalisedPosterior,
    Posterior,
    RefinedPosterior,
    ToldPosterior,
    TopDownPosterior,
    code,
    code_shape,
    gives_integers,
    infer,
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
from isthmus.posteriors.labelled import LabelledGaussian
from isthmus.posteriors.ladder import LadderPosterior
from isthmus.posteriors.lookup_free import LookupFree
from isthmus.posteriors.residual_quantised import ResidualQuantised
from isthmus.posteriors.riemannian import RiemannianHamiltonian
from isthmus.posteriors.semi_amortised import SemiAmortised, refined
from isthmus.posteriors.sparse import SparsePosterior
from isthmus.posteriors.sparse_largest import BatchTopK, TopK
from isthmus.posteriors.sparse_priced import Gated, JumpReLU, PricedBySize
from isthmus.posteriors.spatial import SpatialGaussian
from isthmus.posteriors.sphere import SpherePosterior
from isthmus.posteriors.vector_quantised import VectorQuantised

__all__ = [
    "ENCODE_MODES",
    "POSTERIORS",
    "AmortisedFlow",
    "BallPosterior",
    "BatchTopK",
    "CategoricalPosterior",
    "ClassifyingPosterior",
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
    "LabelledGaussian",
    "LadderPosterior",
    "LaplacePosterior",
    "LookupFree",
    "PenalisedPosterior",
    "PlanarFlow",
    "Posterior",
    "PricedBySize",
    "RadialFlow",
    "RefinedPosterior",
    "ResidualQuantised",
    "RiemannianHamiltonian",
    "SemiAmortised",
    "SparsePosterior",
    "SpatialGaussian",
    "SpherePosterior",
    "SplineFlow",
    "StudentPosterior",
    "SylvesterFlow",
    "ToldPosterior",
    "TopDownPosterior",
    "TopK",
    "VectorQuantised",
    "code",
    "code_shape",
    "gives_integers",
    "infer",
    "refined",
]
