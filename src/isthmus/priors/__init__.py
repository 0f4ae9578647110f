"""Priors: nothing or a condition -> p(z)."""

from isthmus.priors.base import PRIORS, FittedPrior, Infer, Prior
from isthmus.priors.normal import FittedGaussian, StandardNormal

__all__ = ["PRIORS", "FittedGaussian", "FittedPrior", "Infer", "Prior", "StandardNormal"]
