"""The objective that holds the codes to the prior by a critic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.critics import code_critic, told_apart, unconvincing
from isthmus.objectives.draws import prior_draws
from isthmus.objectives.requirements import drawable_codes


@final
@OBJECTIVES.register("aae")
class Adversarial(Objective):
    """distortion + scale · −log P_critic(z is a draw of the prior): no density is asked for.

    A critic tells codes from draws of the prior; at the game's end neither can be told, and q(z)
    is p(z).

    Args:
        latent_shape: Z.
        scale: Weight of the adversarial term, in nats.
        width: Of the critic's hidden layers.
        depth: Number of them.
        lr: The critic's learning rate.
        samples: S, draws of z per datum.

    Reference:
        Makhzani et al., Adversarial Autoencoders, arXiv 1511.05644.
    """

    needs_density = False
    comparable = False
    requires = (drawable_codes,)

    def __init__(
        self,
        latent_shape: Sequence[int],
        scale: float = 1.0,
        width: int = 256,
        depth: int = 2,
        lr: float = 1e-3,
        samples: int = 1,
    ) -> None:
        super().__init__(samples)
        self.weights = {"adversarial": scale}
        self.critics["critic"] = Critic(code_critic(latent_shape, width, depth), lr, (0.5, 0.9))

    def forward(self, evidence: Evidence) -> Loss:
        critic = self.critics["critic"]
        z = evidence.z.flatten(0, 1)
        drawn = prior_draws(evidence).detach().flatten(0, 1)
        fooled = unconvincing(critic(z)).view(evidence.z.shape[:2]).mean(0)
        apart = told_apart(critic(drawn), critic(z.detach()))
        return self.weigh(
            evidence,
            {"distortion": evidence.mean_distortion, "adversarial": fooled},
            {"critic": apart},
            weights=self.weights,
        )
