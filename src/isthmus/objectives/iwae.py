"""The importance-weighted bound."""

from __future__ import annotations

from typing import final

from torch import nn

from isthmus.evidence import Evidence
from isthmus.maths import log_mean_exp
from isthmus.objectives.base import OBJECTIVES, Loss, Objective


@final
@OBJECTIVES.register("iwae")
class Iwae(Objective):
    """−log mean_K p(x, z_k) / q(z_k|x): it tightens with K, and at K = 1 it is the ELBO.

    Args:
        samples: K, importance samples per datum.
        corruption: What the encoder's input suffers while training.

    Reference:
        Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519.
    """

    def __init__(self, samples: int = 5, corruption: nn.Module | None = None) -> None:
        super().__init__(samples, 1.0, corruption)

    def forward(self, evidence: Evidence) -> Loss:
        return self.weigh(evidence, {"bound": -log_mean_exp(evidence.log_weights, 0)})
