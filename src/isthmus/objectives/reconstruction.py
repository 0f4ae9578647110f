"""Reconstruction alone, from a clean or a corrupted input."""

from __future__ import annotations

from typing import final

from torch import nn

from isthmus.data.corruption import Gaussian, Masking
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective


@final
@OBJECTIVES.register("reconstruction")
class Reconstruction(Objective):
    """−log p(x|z) and nothing else: no density of the code is asked for.

    Args:
        samples: S, draws of z per datum.
        corruption: What the encoder's input suffers while training.
    """

    needs_density = False

    def __init__(self, samples: int = 1, corruption: nn.Module | None = None) -> None:
        super().__init__(samples, 1.0, corruption)

    def forward(self, evidence: Evidence) -> Loss:
        return self.weigh(evidence, {"distortion": evidence.mean_distortion})


@OBJECTIVES.register("denoising")
def denoising(sigma: float = 0.3, samples: int = 1, masking: float = 0.0) -> Reconstruction:
    """Reconstruction of the clean input from one with Gaussian noise of standard deviation `sigma`,
    or, where `masking` is not 0, from one with that share of its elements at 0.

    Reference:
        Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders, ICML
        2008.
    """
    return Reconstruction(samples, Masking(masking) if masking else Gaussian(sigma))
