"""The rate taken apart into mutual information, total correlation and dimension-wise KL."""

from __future__ import annotations

from typing import NamedTuple, cast, final

import torch
from torch import Tensor

from isthmus.distributions import EventDistribution
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.requirements import factorised


class Decomposition(NamedTuple):
    """Estimates (S, B) in nats, whose sum is log q(z|x) − log p(z) exactly.

    Args:
        information: log q(z|x) − log q(z): what the code tells of which datum it is.
        total_correlation: log q(z) − Σ_j log q(z_j): how the dimensions depend on each other.
        dimension_rate: Σ_j log q(z_j) − log p(z): how far each dimension is from the prior.
    """

    information: Tensor
    total_correlation: Tensor
    dimension_rate: Tensor


def log_importance(batch: int, length: int, like: Tensor) -> Tensor:
    """Stratified log weights (B, B) by which a batch stands for all data; row i is about z_i.

    The datum that z came from counts for itself alone, 1/N, and the M = B − 1 others share what is
    left. These are the paper's weights, which single out one of the others, averaged over which
    one it is: q(z) is estimated without bias either way, and so with less noise.

    Args:
        batch: B.
        length: N, the number of data.
        like: Says dtype and device.
    """
    if batch == 1:
        return like.new_zeros(1, 1)
    length = max(length, batch)
    own = torch.eye(batch, dtype=like.dtype, device=like.device)
    others = (1.0 - 1.0 / length) / (batch - 1)
    return torch.lerp(torch.full_like(own, others), torch.full_like(own, 1.0 / length), own).log()


def decompose(evidence: Evidence, length: int) -> Decomposition:
    """The rate's three parts, estimated in the batch.

    Args:
        evidence: Whose q factorises.
        length: N, the number of data that the batch was drawn from.
    """
    z = evidence.z
    q = cast(EventDistribution, evidence.q).elementwise()
    batch = z.shape[1]
    # (S, B, B, Z): the density of z_i under q(.|x_j), by dimension.
    pairs = q.log_prob(z.unsqueeze(2)).flatten(3)
    weights = log_importance(batch, length, pairs)
    log_q = torch.logsumexp(pairs.sum(3) + weights, 2)
    log_marginals = torch.logsumexp(pairs + weights.unsqueeze(-1), 2).sum(2)
    return Decomposition(
        evidence.log_posterior - log_q, log_q - log_marginals, log_marginals - evidence.log_prior
    )


@final
@OBJECTIVES.register("beta-tcvae")
class BetaTcvae(Objective):
    """distortion + alpha · information + beta · total correlation + gamma · dimension-wise rate.

    The three parts sum to the rate, so that with all weights 1 it is the negative ELBO. The
    aggregate q(z) is estimated within the batch by stratified weights.

    Args:
        length: N, the number of training data.
        alpha: Weight of the mutual information of code and datum.
        beta: Weight of the total correlation.
        gamma: Weight of the dimension-wise rate.
        samples: S, draws of z per datum.

    Reference:
        Chen et al., Isolating Sources of Disentanglement in VAEs, arXiv 1802.04942.
    """

    requires = (factorised,)

    of_batches = True

    def __init__(
        self,
        length: int,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        samples: int = 1,
    ) -> None:
        super().__init__(samples)
        if length < 1:
            raise OptionError(f"length is the number of training data, got {length}.")
        self.length = length
        self.weights = {"information": alpha, "total_correlation": beta, "dimension_rate": gamma}

    def forward(self, evidence: Evidence) -> Loss:
        parts = {k: v.mean(0) for k, v in decompose(evidence, self.length)._asdict().items()}
        return self.weigh(
            evidence, {"distortion": evidence.mean_distortion, **parts}, weights=self.weights
        )
