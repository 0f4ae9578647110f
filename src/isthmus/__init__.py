"""Compose, train, measure and compare autoencoders.

The public names. Each is imported when it is first used, so that `import isthmus` costs nothing;
`_HOME` says where a name lives, and the block below it tells type checkers the same.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isthmus.registry import RECIPES
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.autoencoder_kl import AutoencoderKL as AutoencoderKL
    from isthmus.classification import class_probabilities as class_probabilities
    from isthmus.data import DataSpec as DataSpec
    from isthmus.data import Scaling as Scaling
    from isthmus.data import load as _load_data
    from isthmus.densities import fit_density as fit_density
    from isthmus.errors import IsthmusError as IsthmusError
    from isthmus.estimators import AE as AE
    from isthmus.estimators import IWAE as IWAE
    from isthmus.estimators import VAE as VAE
    from isthmus.estimators import Autoencoder as Autoencoder
    from isthmus.estimators import BetaVAE as BetaVAE
    from isthmus.estimators import OutlierDetector as OutlierDetector
    from isthmus.evaluation import Comparison as Comparison
    from isthmus.evaluation import compare as compare
    from isthmus.evidence import Evidence as Evidence
    from isthmus.fitting import Run as Run
    from isthmus.fitting import Split as Split
    from isthmus.fitting import fit as fit
    from isthmus.imputation import impute as impute
    from isthmus.latent import Aggregate as Aggregate
    from isthmus.latent import analogy as analogy
    from isthmus.latent import attribute as attribute
    from isthmus.latent import edit as edit
    from isthmus.latent import interpolate as interpolate
    from isthmus.latent import nearest as nearest
    from isthmus.latent import shortest_paths as shortest_paths
    from isthmus.latent import traverse as traverse
    from isthmus.likelihoods import BernoulliLikelihood as BernoulliLikelihood
    from isthmus.likelihoods import CategoricalLikelihood as CategoricalLikelihood
    from isthmus.likelihoods import ContinuousBernoulliLikelihood as ContinuousBernoulliLikelihood
    from isthmus.likelihoods import DatumGaussianLikelihood as DatumGaussianLikelihood
    from isthmus.likelihoods import GaussianLikelihood as GaussianLikelihood
    from isthmus.likelihoods import LaplaceLikelihood as LaplaceLikelihood
    from isthmus.likelihoods import NegativeBinomialLikelihood as NegativeBinomialLikelihood
    from isthmus.likelihoods import OptimalGaussianLikelihood as OptimalGaussianLikelihood
    from isthmus.likelihoods import PoissonLikelihood as PoissonLikelihood
    from isthmus.likelihoods import SharedGaussianLikelihood as SharedGaussianLikelihood
    from isthmus.model import LatentModel as LatentModel
    from isthmus.networks import ConvDecoder as ConvDecoder
    from isthmus.networks import ConvEncoder as ConvEncoder
    from isthmus.networks import MLPDecoder as MLPDecoder
    from isthmus.networks import MLPEncoder as MLPEncoder
    from isthmus.objectives import Elbo as Elbo
    from isthmus.objectives import FreeBits as FreeBits
    from isthmus.objectives import Iwae as Iwae
    from isthmus.objectives import Reconstruction as Reconstruction
    from isthmus.objectives import WarmUp as WarmUp
    from isthmus.posteriors import Deterministic as Deterministic
    from isthmus.posteriors import DiagonalGaussian as DiagonalGaussian
    from isthmus.priors import FittedGaussian as FittedGaussian
    from isthmus.priors import StandardNormal as StandardNormal
    from isthmus.recipes import build_recipe as build_recipe
    from isthmus.recipes import recipe as recipe
    from isthmus.report import write_report as write_report
    from isthmus.store import load as load
    from isthmus.store import save as save

    # An import under another name is not exported; a variable is.
    load_data = _load_data

# To add a public name: one line here and one import above; tests/test_public.py compares them.
# "module:name" is for what has another name at home.
_HOME = {
    "AE": "isthmus.estimators",
    "Aggregate": "isthmus.latent",
    "Autoencoder": "isthmus.estimators",
    "AutoencoderKL": "isthmus.autoencoder_kl",
    "BernoulliLikelihood": "isthmus.likelihoods",
    "BetaVAE": "isthmus.estimators",
    "CategoricalLikelihood": "isthmus.likelihoods",
    "Comparison": "isthmus.evaluation",
    "ContinuousBernoulliLikelihood": "isthmus.likelihoods",
    "ConvDecoder": "isthmus.networks",
    "ConvEncoder": "isthmus.networks",
    "DataSpec": "isthmus.data",
    "DatumGaussianLikelihood": "isthmus.likelihoods",
    "Deterministic": "isthmus.posteriors",
    "DiagonalGaussian": "isthmus.posteriors",
    "Elbo": "isthmus.objectives",
    "Evidence": "isthmus.evidence",
    "FittedGaussian": "isthmus.priors",
    "FreeBits": "isthmus.objectives",
    "GaussianLikelihood": "isthmus.likelihoods",
    "IWAE": "isthmus.estimators",
    "IsthmusError": "isthmus.errors",
    "Iwae": "isthmus.objectives",
    "LaplaceLikelihood": "isthmus.likelihoods",
    "LatentModel": "isthmus.model",
    "MLPDecoder": "isthmus.networks",
    "MLPEncoder": "isthmus.networks",
    "NegativeBinomialLikelihood": "isthmus.likelihoods",
    "OptimalGaussianLikelihood": "isthmus.likelihoods",
    "OutlierDetector": "isthmus.estimators",
    "PoissonLikelihood": "isthmus.likelihoods",
    "Reconstruction": "isthmus.objectives",
    "Run": "isthmus.fitting",
    "Scaling": "isthmus.data",
    "SharedGaussianLikelihood": "isthmus.likelihoods",
    "Split": "isthmus.fitting",
    "StandardNormal": "isthmus.priors",
    "VAE": "isthmus.estimators",
    "WarmUp": "isthmus.objectives",
    "analogy": "isthmus.latent",
    "attribute": "isthmus.latent",
    "build_recipe": "isthmus.recipes",
    "class_probabilities": "isthmus.classification",
    "compare": "isthmus.evaluation",
    "edit": "isthmus.latent",
    "fit": "isthmus.fitting",
    "fit_density": "isthmus.densities",
    "impute": "isthmus.imputation",
    "interpolate": "isthmus.latent",
    "load": "isthmus.store",
    "load_data": "isthmus.data:load",
    "nearest": "isthmus.latent",
    "recipe": "isthmus.recipes",
    "save": "isthmus.store",
    "shortest_paths": "isthmus.latent",
    "traverse": "isthmus.latent",
    "write_report": "isthmus.report",
}

__all__ = ["__version__", *_HOME]

RECIPES.fill_with(lambda: importlib.import_module("isthmus.recipes"))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}", name=name)
    module, _, at_home = _HOME[name].partition(":")
    value = getattr(importlib.import_module(module), at_home or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
