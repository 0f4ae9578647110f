"""The bound with the covariance of the aggregate posterior held to the identity."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.requirements import factorised, real_codes


def batch_covariance(values: Tensor) -> Tensor:
    """The covariance (Z, Z) of B vectors (B, Z), centred over the batch, divided by B."""
    centred = values - values.mean(0)
    return centred.T @ centred / len(values)


@final
@OBJECTIVES.register("dip-vae-i")
class DipVae(Objective):
    """distortion + rate + off_diagonal · Σ_{i≠j} C_ij² + diagonal · Σ_i (C_ii − 1)².

    C is the covariance over data of the posterior's mean; with `aggregate` it is that of z under
    the aggregate posterior, which adds the posterior's own mean variance.

    Args:
        off_diagonal: Price of covariances.
        diagonal: Price of variances other than 1.
        aggregate: Whether C includes the posterior's variance: DIP-VAE-II.
        samples: S, draws of z per datum.

    Reference:
        Kumar, Sattigeri & Balakrishnan, Variational Inference of Disentangled Latent Concepts from
        Unlabeled Observations, arXiv 1711.00848.
    """

    requires = (factorised, real_codes)

    of_batches = True

    def __init__(
        self,
        off_diagonal: float = 10.0,
        diagonal: float = 100.0,
        aggregate: bool = False,
        samples: int = 1,
    ) -> None:
        super().__init__(samples)
        self.aggregate = aggregate
        self.weights = {"covariances": off_diagonal, "variances": diagonal}

    def forward(self, evidence: Evidence) -> Loss:
        rate = evidence.rate
        covariance = batch_covariance(evidence.q.mean.flatten(1))
        if self.aggregate:
            covariance = covariance + torch.diag(evidence.q.variance.flatten(1).mean(0))
        diagonal = covariance.diagonal()
        off = covariance.square().sum() - diagonal.square().sum()
        terms = {
            "distortion": evidence.mean_distortion,
            "rate": rate,
            "covariances": off.expand_as(rate),
            "variances": (diagonal - 1.0).square().sum().expand_as(rate),
        }
        return self.weigh(evidence, terms, weights=self.weights)


@OBJECTIVES.register("dip-vae-ii")
def dip_vae_ii(off_diagonal: float = 10.0, diagonal: float = 10.0, samples: int = 1) -> DipVae:
    """`DipVae` with the covariance of the aggregate posterior.

    Reference:
        Kumar, Sattigeri & Balakrishnan, arXiv 1711.00848.
    """
    return DipVae(off_diagonal, diagonal, True, samples)
