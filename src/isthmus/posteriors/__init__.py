"""Posteriors: an encoder's features -> q(z|x)."""

from isthmus.posteriors.base import (
    ENCODE_MODES,
    POSTERIORS,
    DiscretePosterior,
    PenalisedPosterior,
    Posterior,
    RefinedPosterior,
    code,
)
from isthmus.posteriors.delta import Deterministic
from isthmus.posteriors.diagonal import DiagonalGaussian

__all__ = [
    "ENCODE_MODES",
    "POSTERIORS",
    "Deterministic",
    "DiagonalGaussian",
    "DiscretePosterior",
    "PenalisedPosterior",
    "Posterior",
    "RefinedPosterior",
    "code",
]
