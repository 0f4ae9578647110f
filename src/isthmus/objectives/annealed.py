"""The bound with a rate held to a capacity that grows."""

from __future__ import annotations

from typing import final

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.schedules import Schedule, WarmUp, as_schedule


@final
@OBJECTIVES.register("annealed")
class Annealed(Objective):
    """distortion + gamma · |E_batch rate − C(t)|: the code is given C nats and uses just these.

    Args:
        capacity: C in nats, a number or a schedule; None climbs from 0 to 25 over four fifths of
            training.
        gamma: Price per nat beside the capacity.
        samples: S, draws of z per datum.

    Reference:
        Burgess et al., Understanding Disentangling in beta-VAE, arXiv 1804.03599.
    """

    of_batches = True

    def __init__(
        self, capacity: float | Schedule | None = None, gamma: float = 1000.0, samples: int = 1
    ) -> None:
        super().__init__(samples)
        self.capacity = as_schedule(WarmUp(25.0, 0.8) if capacity is None else capacity)
        self.gamma = gamma

    def forward(self, evidence: Evidence) -> Loss:
        rate = evidence.rate
        off = (rate.mean() - self.scheduled(self.capacity)).abs().expand_as(rate)
        return self.weigh(
            evidence,
            {"distortion": evidence.mean_distortion, "off_capacity": off},
            weights={"off_capacity": self.gamma},
            shown={"rate": rate},
        )
