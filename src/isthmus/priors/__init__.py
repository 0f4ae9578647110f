"""Priors: nothing or a condition -> p(z)."""

from isthmus.priors.ball import BallNormal
from isthmus.priors.base import (
    POSTERIORS_SPACE,
    PRIORS,
    FittedPrior,
    Infer,
    LeaveOneOutPrior,
    Prior,
    StartedPrior,
)
from isthmus.priors.categorical import UniformCategorical
from isthmus.priors.codes import AutoregressiveCodes, UniformCodes
from isthmus.priors.conditional import ConditionalNormal
from isthmus.priors.exemplar import ExemplarPrior
from isthmus.priors.fitted import FittedFlow, FittedMixture
from isthmus.priors.flow import FLOWS, FlowPrior
from isthmus.priors.heavy_tails import StandardLaplace, StandardStudent
from isthmus.priors.joint import JointPrior
from isthmus.priors.ladder import LadderPrior
from isthmus.priors.latent_model import FittedModel, LatentModelPrior, ModelMarginal
from isthmus.priors.mixture import MixturePrior
from isthmus.priors.normal import FittedGaussian, StandardNormal
from isthmus.priors.pixelcnn import PixelCNNPrior
from isthmus.priors.sphere import UniformSphere
from isthmus.priors.spike_slab import FittedSpikeSlab, SpikeSlab
from isthmus.priors.vamp import VampPrior

__all__ = [
    "FLOWS",
    "POSTERIORS_SPACE",
    "PRIORS",
    "AutoregressiveCodes",
    "BallNormal",
    "ConditionalNormal",
    "ExemplarPrior",
    "FittedFlow",
    "FittedGaussian",
    "FittedMixture",
    "FittedModel",
    "FittedPrior",
    "FittedSpikeSlab",
    "FlowPrior",
    "Infer",
    "JointPrior",
    "LadderPrior",
    "LatentModelPrior",
    "LeaveOneOutPrior",
    "MixturePrior",
    "ModelMarginal",
    "PixelCNNPrior",
    "Prior",
    "SpikeSlab",
    "StandardLaplace",
    "StandardNormal",
    "StandardStudent",
    "StartedPrior",
    "UniformCategorical",
    "UniformCodes",
    "UniformSphere",
    "VampPrior",
]
