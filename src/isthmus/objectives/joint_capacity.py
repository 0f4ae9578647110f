"""A capacity for the continuous code and one for the discrete, each of which grows."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from isthmus.distributions import ContinuousOneHot
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.posteriors import JointPosterior, Posterior
from isthmus.priors import JointPrior, Prior
from isthmus.schedules import WarmUp


def needs_both_parts(posterior: Posterior, prior: Prior) -> str | None:
    """Why not, where the code has no continuous and discrete part."""
    if isinstance(posterior, JointPosterior) and isinstance(prior, JointPrior):
        return None
    return (
        "The objective 'joint-capacity' has a capacity for the continuous and one for the discrete "
        f"part of a code, and {type(posterior).__name__} with {type(prior).__name__} does not "
        "have both: use the posterior and the prior 'joint', or the objective 'elbo'."
    )


@final
@OBJECTIVES.register("joint-capacity")
class JointCapacity(Objective):
    """distortion + gamma |KL_c − C_c(t)| + gamma |KL_d − C_d(t)|, for the continuous and the
    discrete part of a joint code, each KL averaged over the batch.

    Args:
        continuous: C_c at the end, nats.
        discrete: C_d at the end, nats; at most as many as the choices can carry.
        gamma: Price of a nat away from the capacity.
        share: Share of training over which the capacities grow from 0.
        samples: S, draws of z per datum.
        corruption: What the encoder's input suffers while training.

    Reference:
        Dupont, arXiv 1804.00104.
    """

    of_batches = True
    requires = (needs_both_parts,)

    def __init__(
        self,
        continuous: float = 5.0,
        discrete: float = 5.0,
        gamma: float = 30.0,
        share: float = 0.5,
        samples: int = 1,
        corruption: nn.Module | None = None,
    ) -> None:
        super().__init__(samples, 1.0, corruption)
        self.gamma = gamma
        self.continuous = WarmUp(continuous, share)
        self.discrete = WarmUp(discrete, share)

    def forward(self, evidence: Evidence) -> Loss:
        q, p = cast(ContinuousOneHot, evidence.q), cast(ContinuousOneHot, evidence.p)
        continuous = kl_divergence(q.continuous, p.continuous)
        discrete = kl_divergence(q.discrete, p.discrete)
        most = p.discrete.entropy()
        capacity = torch.minimum(most, most.new_ones(()) * self.scheduled(self.discrete))
        loss = self.weigh(
            evidence,
            {
                "distortion": evidence.mean_distortion,
                "continuous_gap": self._gap(continuous, self.scheduled(self.continuous)),
                "discrete_gap": self._gap(discrete, capacity),
            },
        )
        rates = {"rate": continuous + discrete, "rate_discrete": discrete}
        return Loss(loss.total, {**loss.terms, **rates})

    def _gap(self, rate: Tensor, capacity: Tensor | float) -> Tensor:
        """(B,) the price of the batch's mean rate: a single datum may take more or less."""
        return (self.gamma * (rate.mean() - capacity).abs()).expand_as(rate)
