"""Objectives that hold the codes to the prior by the maximum mean discrepancy."""

from __future__ import annotations

from typing import final

from torch import Tensor

from isthmus.distances import squared_mmd
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.draws import prior_draws
from isthmus.objectives.requirements import drawable_codes


def discrepancy(evidence: Evidence) -> Tensor:
    """(B,) the squared MMD between the batch's codes and draws of the prior, one number for all.

    A code alone has no company that could tell how codes spread: it pays nothing.
    """
    if evidence.z.shape[1] == 1:
        return evidence.z.new_zeros(1)
    mmd = squared_mmd(evidence.z.flatten(2), prior_draws(evidence).flatten(2)).mean()
    return mmd.expand(evidence.z.shape[1])


@final
@OBJECTIVES.register("info-vae")
class InfoVae(Objective):
    """distortion + (1 − alpha) · rate + (alpha + scale − 1) · MMD(q(z), p(z)).

    alpha says how much of the rate, which includes the information of code and datum, is no longer
    paid for; the discrepancy of the aggregate makes up for it. At alpha = 0 and scale = 1 it is the
    negative ELBO.

    Args:
        alpha: Share of the rate that is dropped.
        scale: The paper's lambda, in nats per unit of the squared discrepancy, which lies between 0
            and 14.
        samples: S, draws of z per datum.

    Reference:
        Zhao, Song & Ermon, InfoVAE, arXiv 1706.02262.
    """

    requires = (drawable_codes,)

    of_batches = True

    def __init__(self, alpha: float = 0.5, scale: float = 10.0, samples: int = 1) -> None:
        super().__init__(samples)
        self.weights = {"rate": 1.0 - alpha, "mmd": alpha + scale - 1.0}

    def forward(self, evidence: Evidence) -> Loss:
        terms = {
            "distortion": evidence.mean_distortion,
            "rate": evidence.rate,
            "mmd": discrepancy(evidence),
        }
        return self.weigh(evidence, terms, weights=self.weights)


@final
@OBJECTIVES.register("wae-mmd")
class WaeMmd(Objective):
    """distortion + scale · MMD(q(z), p(z)): no density of the code is asked for.

    Args:
        scale: The paper's lambda, in nats per unit of the squared discrepancy, which lies between 0
            and 14.
        samples: S, draws of z per datum.

    Reference:
        Tolstikhin et al., Wasserstein Auto-Encoders, arXiv 1711.01558.
    """

    of_batches = True
    needs_density = False
    requires = (drawable_codes,)

    def __init__(self, scale: float = 10.0, samples: int = 1) -> None:
        super().__init__(samples)
        self.weights = {"mmd": scale}

    def forward(self, evidence: Evidence) -> Loss:
        terms = {"distortion": evidence.mean_distortion, "mmd": discrepancy(evidence)}
        return self.weigh(evidence, terms, weights=self.weights)
