"""Outlier scores: how usual a datum is to a trained model, each by its name."""

from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, needs_density, rebuilt
from isthmus.outliers.densities import (
    RATE_SAMPLES,
    LikelihoodRatioScore,
    LikelihoodScore,
    RateScore,
    TypicalityScore,
)
from isthmus.outliers.ensemble import EnsembleScore
from isthmus.outliers.latent import LatentScore
from isthmus.outliers.neighbours import NeighbourScore
from isthmus.outliers.reconstruction import ReconstructionScore

__all__ = [
    "RATE_SAMPLES",
    "SCORES",
    "EnsembleScore",
    "Floats",
    "LatentScore",
    "LikelihoodRatioScore",
    "LikelihoodScore",
    "NeighbourScore",
    "OutlierScore",
    "RateScore",
    "ReconstructionScore",
    "Trained",
    "TypicalityScore",
    "needs_density",
    "rebuilt",
]
