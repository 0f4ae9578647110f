"""The bound with the total correlation, which a critic estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.critics import code_critic, told_apart
from isthmus.objectives.requirements import real_codes


def permuted(z: Tensor) -> Tensor:
    """Z (B, d) with every dimension shuffled over the batch by itself: a draw of Π_j q(z_j)."""
    order = torch.rand_like(z).argsort(0)
    return z.gather(0, order)


@final
@OBJECTIVES.register("factor-vae")
class FactorVae(Objective):
    """distortion + rate + gamma · TC, TC = KL(q(z) ‖ Π_j q(z_j)) in nats.

    A critic tells codes from codes whose dimensions were shuffled over the batch; its logit is the
    logarithm of the ratio of the two densities, so its mean over codes estimates TC.

    Args:
        latent_shape: Z.
        gamma: Weight of the total correlation.
        width: Of the critic's hidden layers.
        depth: Number of them.
        lr: The critic's learning rate.
        samples: S, draws of z per datum.

    Reference:
        Kim & Mnih, Disentangling by Factorising, arXiv 1802.05983.
    """

    requires = (real_codes,)

    def __init__(
        self,
        latent_shape: Sequence[int],
        gamma: float = 10.0,
        width: int = 1000,
        depth: int = 6,
        lr: float = 1e-4,
        samples: int = 1,
    ) -> None:
        super().__init__(samples)
        self.weights = {"total_correlation": gamma}
        self.critics["critic"] = Critic(code_critic(latent_shape, width, depth), lr, (0.5, 0.9))

    def forward(self, evidence: Evidence) -> Loss:
        critic = self.critics["critic"]
        z = evidence.z.flatten(0, 1).flatten(1)
        logits = critic(z)
        apart = told_apart(critic(z.detach()), critic(permuted(z.detach()))) / 2.0
        terms = {
            "distortion": evidence.mean_distortion,
            "rate": evidence.rate,
            "total_correlation": logits.view(evidence.z.shape[:2]).mean(0),
        }
        return self.weigh(evidence, terms, {"critic": apart}, weights=self.weights)
