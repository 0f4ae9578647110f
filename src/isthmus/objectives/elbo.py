"""The evidence lower bound, and its variant with free bits."""

from __future__ import annotations

from typing import final

from torch import nn

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.schedules import Schedule


@final
@OBJECTIVES.register("elbo")
class Elbo(Objective):
    """distortion + beta · rate; the negative ELBO at beta = 1.

    Args:
        beta: The rate's weight, a number or a schedule.
        samples: S, draws of z per datum.
        corruption: What the encoder's input suffers while training.

    Reference:
        Kingma & Welling, arXiv 1312.6114; beta: Higgins et al., ICLR 2017.
    """

    weighted = ("rate",)

    def __init__(
        self, beta: float | Schedule = 1.0, samples: int = 1, corruption: nn.Module | None = None
    ) -> None:
        super().__init__(samples, beta, corruption)

    def forward(self, evidence: Evidence) -> Loss:
        return self.weigh(evidence, {"distortion": evidence.mean_distortion, "rate": evidence.rate})


@final
@OBJECTIVES.register("free-bits")
class FreeBits(Objective):
    """distortion + beta · Σ_j max(nats, E_batch KL_j): a dimension pays only for what it carries
    beyond `nats`.

    Held-out data are judged by the plain bound. Of a ladder j is a level; where the prior or the
    posterior does not factorise over dimensions, the whole code is one group.

    Args:
        nats: Free nats per latent dimension, or level of a ladder.
        samples: S, draws of z per datum.
        corruption: What the encoder's input suffers while training.
        beta: The rate's weight, a number or a schedule.

    Reference:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, arXiv
        1606.04934.
    """

    weighted = ("rate",)

    def __init__(
        self,
        nats: float = 0.5,
        samples: int = 1,
        corruption: nn.Module | None = None,
        beta: float | Schedule = 1.0,
    ) -> None:
        super().__init__(samples, beta, corruption)
        self.nats = nats

    def forward(self, evidence: Evidence) -> Loss:
        rate = evidence.rate
        if self.training:
            paid = evidence.rate_per_dimension.mean(0).clamp(min=self.nats).sum()
            rate = paid.expand_as(rate)
        return self.weigh(evidence, {"distortion": evidence.mean_distortion, "rate": rate})
