"""The importance-weighted bound with the doubly reparameterised gradient."""

from __future__ import annotations

from typing import final

from isthmus.evidence import Evidence
from isthmus.maths import log_mean_exp
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.paths import moves, path_log_prob
from isthmus.objectives.requirements import density_of_codes


@final
@OBJECTIVES.register("dreg-iwae")
class DregIwae(Objective):
    """−log mean_K w with the encoder's gradient Σ_k v_k² ∂log w_k/∂z_k ∂z_k, v the weights' shares.

    Its mean is the IWAE gradient's and its variance falls with K where that one's signal drowns.
    Decoder and prior have the IWAE's own gradient. It meets every posterior with a density, at the
    price of one more pass through that density.

    Args:
        samples: K.

    Reference:
        Tucker et al., Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives, arXiv
        1810.04152.
    """

    requires = (density_of_codes,)

    def __init__(self, samples: int = 5) -> None:
        super().__init__(samples)

    def forward(self, evidence: Evidence) -> Loss:
        z = evidence.z
        log_q = path_log_prob(evidence.q, z, evidence.log_posterior)
        log_weights = evidence.log_prior - evidence.distortion - log_q
        if moves(z):
            # The bound's own gradient into z_k carries v_k once: here is the second time.
            share = log_weights.detach().softmax(0)
            share = share.view(*share.shape, *(1,) * (z.ndim - 2))
            z.register_hook(lambda gradient: gradient * share)
        return self.weigh(evidence, {"bound": -log_mean_exp(log_weights, 0)})
