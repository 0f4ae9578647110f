"""Latents that are mostly 0: each is on with its own frequency, and Gaussian where it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions import EventDistribution
from isthmus.priors.base import PRIORS, FittedPrior, Infer

_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


@final
class SpikeSlab(EventDistribution):
    """Independent elements, 0 with probability 1 - share, else Normal(loc, scale^2).

    Its density is with respect to Lebesgue measure and a unit mass at 0.

    Args:
        share: How often an element differs from 0.
        loc: Its mean where it does.
        scale: Its standard deviation there.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "share": constraints.unit_interval,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    has_rsample = False

    def __init__(self, share: Tensor, loc: Tensor, scale: Tensor, event_dims: int = 1) -> None:
        self.share = share
        self.loc = loc
        self.scale = scale
        super().__init__(share.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.share * self.loc

    @property
    def variance(self) -> Tensor:
        return self.share * (self.scale.square() + self.loc.square()) - self.mean.square()

    def log_prob(self, value: Tensor) -> Tensor:
        slab = -0.5 * ((value - self.loc) / self.scale).square() - self.scale.log() - _LOG_ROOT_TAU
        on, off = self.share.log() + slab, torch.log1p(-self.share)
        # Where an element is never 0, a draw of exactly 0 is one of the slab.
        return self._sum(torch.where((value == 0) & (self.share < 1), off, on))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self.shape
        with torch.no_grad():
            on = torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device) < self.share
            noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
            return torch.addcmul(self.loc, noise, self.scale) * on


@final
@PRIORS.register("spike-slab")
class FittedSpikeSlab(FittedPrior):
    """Each latent's own frequency, mean and spread among the training codes: what a sparse code is
    sampled from.

    It is the standard normal until it is fitted. Which latents go together is not in it.

    Args:
        latent_shape: Z.

    Reference:
        Mitchell and Beauchamp, Bayesian Variable Selection in Linear Regression, JASA 83 (1988).
    """

    def __init__(self, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self._dims = len(latent_shape)
        self.register_buffer("share", torch.ones(*latent_shape))
        self.register_buffer("loc", torch.zeros(*latent_shape))
        self.register_buffer("scale", torch.ones(*latent_shape))

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> SpikeSlab:
        share, loc, scale = (self.get_buffer(name) for name in ("share", "loc", "scale"))
        return SpikeSlab(share, loc, scale, self._dims)

    @torch.no_grad()
    def fit(self, codes: Tensor) -> None:
        """Fit to codes (N, *Z)."""
        on = codes != 0
        count = on.sum(0).clamp(min=1)
        loc = codes.sum(0) / count
        spread = ((codes - loc).square() * on).sum(0) / count
        self.get_buffer("share").copy_(on.to(codes.dtype).mean(0))
        self.get_buffer("loc").copy_(loc)
        # A latent that was on once has no spread of its own.
        self.get_buffer("scale").copy_(spread.sqrt().clamp(min=1e-6))
