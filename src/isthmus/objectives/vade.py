"""The bound of variational deep embedding, with its clusters summed out in closed form."""

from __future__ import annotations

from typing import cast, final

from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal, NormalMixture
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.posteriors import DiagonalGaussian, Posterior
from isthmus.priors import MixturePrior, Prior
from isthmus.schedules import Schedule


def _of_clusters(posterior: Posterior, prior: Prior) -> str | None:
    if isinstance(posterior, DiagonalGaussian) and isinstance(prior, MixturePrior):
        return None
    return (
        "The objective 'vade' sums over Gaussian clusters in closed form, and got the posterior "
        f"{type(posterior).__name__} and the prior {type(prior).__name__}: use the posterior "
        "'diagonal' with the prior 'mixture', or the objective 'elbo'."
    )


@final
@OBJECTIVES.register("vade")
class Vade(Objective):
    """distortion + beta · (Σ_c q(c|x) KL(q(z|x) ‖ p(z|c)) + KL(q(c|x) ‖ p(c))), at its minimum
    over q(c|x).

    The minimum is −log Σ_c p(c) exp(−KL(q(z|x) ‖ p(z|c))), which no sampling blurs: a bound below
    the ELBO of the mixture, and above the paper's, whose q(c|x) is p(c|z) at a draw.

    Args:
        beta: The rate's weight, a number or a schedule.
        samples: S, draws of z per datum for the distortion.
        corruption: What the encoder's input suffers while training.

    Reference:
        Jiang et al., Variational Deep Embedding, arXiv 1611.05148.
    """

    weighted = ("rate",)
    requires = (_of_clusters,)

    def __init__(
        self, beta: float | Schedule = 1.0, samples: int = 1, corruption: nn.Module | None = None
    ) -> None:
        super().__init__(samples, beta, corruption)

    def forward(self, evidence: Evidence) -> Loss:
        p, q = cast(NormalMixture, evidence.p), cast(DiagonalNormal, evidence.q)
        rate: Tensor = -(p.log_weights - p.component_kl(q)).logsumexp(-1)
        return self.weigh(evidence, {"distortion": evidence.mean_distortion, "rate": rate})
