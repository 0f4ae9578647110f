"""Objectives: evidence -> what training minimises, term by term, in nats."""

from isthmus.objectives.aae import Adversarial
from isthmus.objectives.annealed import Annealed
from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.ciwae import Ciwae
from isthmus.objectives.contractive import Contractive
from isthmus.objectives.dip import DipVae, dip_vae_ii
from isthmus.objectives.dreg import DregIwae
from isthmus.objectives.elbo import Elbo, FreeBits
from isthmus.objectives.factor import FactorVae
from isthmus.objectives.group import Group
from isthmus.objectives.iwae import Iwae
from isthmus.objectives.joint_capacity import JointCapacity
from isthmus.objectives.klgan import KlGan
from isthmus.objectives.m2 import M2
from isthmus.objectives.miwae import Miwae, Piwae
from isthmus.objectives.mmd import InfoVae, WaeMmd
from isthmus.objectives.msssim import MsSsim
from isthmus.objectives.reconstruction import Reconstruction, denoising
from isthmus.objectives.regularised import Regularised
from isthmus.objectives.renyi import Renyi
from isthmus.objectives.sparse import SparseReconstruction
from isthmus.objectives.stl import StickingTheLanding
from isthmus.objectives.swae import Swae
from isthmus.objectives.tcvae import BetaTcvae
from isthmus.objectives.vade import Vade
from isthmus.objectives.vaegan import VaeGan
from isthmus.schedules import SCHEDULES, Constant, Cyclical, Schedule, WarmUp

__all__ = [
    "M2",
    "OBJECTIVES",
    "SCHEDULES",
    "Adversarial",
    "Annealed",
    "BetaTcvae",
    "Ciwae",
    "Constant",
    "Contractive",
    "Critic",
    "Cyclical",
    "DipVae",
    "DregIwae",
    "Elbo",
    "FactorVae",
    "FreeBits",
    "Group",
    "InfoVae",
    "Iwae",
    "JointCapacity",
    "KlGan",
    "Loss",
    "Miwae",
    "MsSsim",
    "Objective",
    "Piwae",
    "Reconstruction",
    "Regularised",
    "Renyi",
    "Schedule",
    "SparseReconstruction",
    "StickingTheLanding",
    "Swae",
    "Vade",
    "VaeGan",
    "WaeMmd",
    "WarmUp",
    "denoising",
    "dip_vae_ii",
]
