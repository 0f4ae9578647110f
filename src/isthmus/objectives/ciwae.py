"""The combination of the ELBO and the importance-weighted bound."""

from __future__ import annotations

from typing import final

from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.maths import log_mean_exp
from isthmus.objectives.base import OBJECTIVES, Loss, Objective


@final
@OBJECTIVES.register("ciwae")
class Ciwae(Objective):
    """−(share · ELBO + (1 − share) · log mean_K w): the ELBO at share 1, the IWAE's bound at 0.

    Args:
        share: Of the ELBO; the paper's beta.
        samples: K.

    Reference:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, arXiv 1802.04537.
    """

    def __init__(self, share: float = 0.05, samples: int = 8) -> None:
        super().__init__(samples)
        if not 0.0 <= share <= 1.0:
            raise OptionError(f"The ELBO's share lies between 0 and 1, got {share}.")
        self.share = share

    def forward(self, evidence: Evidence) -> Loss:
        elbo = evidence.mean_distortion + evidence.rate
        bound = -log_mean_exp(evidence.log_weights, 0)
        weights = {"negative_elbo": self.share, "bound": 1.0 - self.share}
        return self.weigh(evidence, {"negative_elbo": elbo, "bound": bound}, weights=weights)
