"""The evidence lower bound with the path-derivative gradient."""

from __future__ import annotations

from typing import final

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.paths import path_log_prob
from isthmus.objectives.requirements import density_of_codes
from isthmus.schedules import Schedule


@final
@OBJECTIVES.register("stl")
class StickingTheLanding(Objective):
    """distortion + beta (log q(z|x) − log p(z)), the score of q left out of the gradient.

    The score has mean zero, so the gradient's mean is the ELBO's; where q is the true posterior
    the gradient of the encoder is zero for every sample and not just on average. It meets every
    posterior with a density.

    Args:
        beta: The rate's weight, a number or a schedule.
        samples: S, draws of z per datum.

    Reference:
        Roeder, Wu & Duvenaud, Sticking the Landing, arXiv 1703.09194.
    """

    weighted = ("rate",)
    requires = (density_of_codes,)

    def __init__(self, beta: float | Schedule = 1.0, samples: int = 1) -> None:
        super().__init__(samples, beta)

    def forward(self, evidence: Evidence) -> Loss:
        log_q = path_log_prob(evidence.q, evidence.z, evidence.log_posterior)
        rate = (log_q - evidence.log_prior).mean(0)
        return self.weigh(evidence, {"distortion": evidence.mean_distortion, "rate": rate})
