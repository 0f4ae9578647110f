"""The Rényi bound, between the ELBO and the importance-weighted bound and beyond them."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective


def renyi_bound(log_weights: Tensor, alpha: float) -> Tensor:
    r""":math:`\frac{1}{1-\alpha} \log \frac{1}{S} \sum_s w_s^{1-\alpha}`.

    At alpha = 1 it is the mean of the logarithms, which it approaches without cancellation.

    Args:
        log_weights: (S, B), nats.
        alpha: Any number.

    Returns:
        (B,), nats.
    """
    power = 1.0 - alpha
    if power == 0.0:
        return log_weights.mean(0)
    powers = power * log_weights
    highest = powers.detach().amax(0)
    return (highest + torch.log1p(torch.expm1(powers - highest).mean(0))) / power


@final
@OBJECTIVES.register("renyi")
class Renyi(Objective):
    """−1/(1 − alpha) log mean_S w^(1 − alpha): the ELBO as alpha → 1, IWAE at alpha = 0.

    Below 0 it overestimates log p(x) as the samples grow; above 1 it lies under the ELBO and covers
    what q must not miss.

    Args:
        alpha: The order of the divergence.
        samples: S.

    Reference:
        Li & Turner, Rényi Divergence Variational Inference, arXiv 1602.02311.
    """

    def __init__(self, alpha: float = 0.5, samples: int = 5) -> None:
        super().__init__(samples)
        self.alpha = alpha

    def forward(self, evidence: Evidence) -> Loss:
        return self.weigh(evidence, {"bound": -renyi_bound(evidence.log_weights, self.alpha)})
