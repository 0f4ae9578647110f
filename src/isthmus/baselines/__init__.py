"""Baselines: classical methods behind one face."""

from isthmus.baselines.base import BASELINES, Baseline, CanSample, HasDensity, HasPosterior
from isthmus.baselines.factor_analysis import FactorAnalysis
from isthmus.baselines.ica import IndependentComponents
from isthmus.baselines.lsa import LatentSemanticAnalysis
from isthmus.baselines.nmf import NonNegativeFactors
from isthmus.baselines.pca import ProbabilisticPCA

__all__ = [
    "BASELINES",
    "Baseline",
    "CanSample",
    "FactorAnalysis",
    "HasDensity",
    "HasPosterior",
    "IndependentComponents",
    "LatentSemanticAnalysis",
    "NonNegativeFactors",
    "ProbabilisticPCA",
]
