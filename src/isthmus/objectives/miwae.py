"""Several importance-weighted bounds averaged: MIWAE, and PIWAE's split between the networks."""

from __future__ import annotations

from abc import ABC
from typing import final

import torch
from torch import Tensor

from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.maths import log_mean_exp
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.paths import moves, rise, with_gradient_of


def mean_of_bounds(log_weights: Tensor, bounds: int) -> Tensor:
    """The mean of `bounds` bounds, each over its own K samples.

    Args:
        log_weights: (M K, B), nats.
        bounds: M.

    Returns:
        (B,), nats.
    """
    return log_mean_exp(log_weights.unflatten(0, (bounds, -1)), 1).mean(0)


def check_counts(bounds: int, samples: int) -> None:
    """Refuse numbers of bounds and samples that are not counts.

    Raises:
        OptionError: One is below 1.
    """
    if bounds < 1 or samples < 1:
        raise OptionError(
            f"bounds={bounds} and samples={samples} were asked for; at least 1 of each is needed."
        )


class ManyBounds(Objective, ABC):
    """M importance-weighted bounds over K samples each.

    Args:
        bounds: M; the paper keeps M K = 64.
        samples: K.

    Raises:
        OptionError: A number below 1.

    Reference:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, arXiv 1802.04537.
    """

    def __init__(self, bounds: int = 4, samples: int = 4) -> None:
        check_counts(bounds, samples)
        super().__init__(bounds * samples)
        self.bounds = bounds


@final
@OBJECTIVES.register("miwae")
class Miwae(ManyBounds):
    """−mean_M log mean_K p(x, z_mk) / q(z_mk|x): M importance-weighted bounds of K samples each.

    At M = 1 it is the IWAE's bound, at K = 1 the ELBO; between them the encoder's gradient keeps
    more of its signal than with all M K samples in one bound.

    Args:
        bounds: M; the paper keeps M K = 64.
        samples: K.

    Reference:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, arXiv 1802.04537.
    """

    def forward(self, evidence: Evidence) -> Loss:
        return self.weigh(evidence, {"bound": -mean_of_bounds(evidence.log_weights, self.bounds)})


@final
@OBJECTIVES.register("piwae")
class Piwae(ManyBounds):
    """The encoder climbs MIWAE's M bounds of K samples; decoder and prior the one bound of all M K.

    What is reported, and what held-out data are judged by, is the bound of all M K samples. The
    encoder's gradient is cut at the codes: what reaches it through z is that of the M bounds.

    Args:
        bounds: M; the paper keeps M K = 64.
        samples: K.

    Reference:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, arXiv 1802.04537.
    """

    def forward(self, evidence: Evidence) -> Loss:
        log_weights = evidence.log_weights
        bound = -log_mean_exp(log_weights, 0)
        if moves(evidence.z):
            bound = with_gradient_of(self._split(evidence, log_weights.detach()), bound)
        return self.weigh(evidence, {"bound": bound})

    def _split(self, evidence: Evidence, log_weights: Tensor) -> Tensor:
        """(B,) whose gradients are those of either bound for its own networks."""
        of_all = log_weights.softmax(0)
        of_each = log_weights.unflatten(0, (self.bounds, -1)).softmax(1).flatten(0, 1) / self.bounds
        log_joint = evidence.log_prior - evidence.distortion
        slope = rise(log_joint, evidence.z)
        # log p(x, z) weighed for the decoder carries those weights into z too: they are exchanged.
        exchanged = torch.einsum("sb,sb...,sb...->b", of_each - of_all, slope, evidence.z)
        reached = (of_all * log_joint).sum(0) + exchanged
        return (of_each * evidence.log_posterior).sum(0) - reached
