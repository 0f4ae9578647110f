"""Objectives: evidence -> what training minimises, term by term, in nats."""

from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.elbo import Elbo, FreeBits
from isthmus.objectives.iwae import Iwae
from isthmus.objectives.reconstruction import Reconstruction, denoising
from isthmus.schedules import SCHEDULES, Constant, Cyclical, Schedule, WarmUp

__all__ = [
    "OBJECTIVES",
    "SCHEDULES",
    "Constant",
    "Critic",
    "Cyclical",
    "Elbo",
    "FreeBits",
    "Iwae",
    "Loss",
    "Objective",
    "Reconstruction",
    "Schedule",
    "WarmUp",
    "denoising",
]
