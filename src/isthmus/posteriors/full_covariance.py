"""Gaussian posteriors whose dimensions depend on one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.distributions import FullNormal, LowRankNormal
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import location_scale


@final
@POSTERIORS.register("full-covariance")
class FullCovarianceGaussian(Posterior):
    """q(z|x) = Normal(mean, L Lᵀ) with L = U diag(scale), U unit lower triangular: all of them
    linear in the features.

    This is the linear inverse autoregressive flow: z = mean + U (scale · noise). With a `rank` R
    the covariance is diag(scale) (I + V Vᵀ / R) diag(scale) instead, V (Z, R), for codes too wide
    for a matrix.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z, one axis.
        rank: R; None is the full factor.

    Raises:
        OptionError: The code has more than one axis, or R is not between 1 and Z.

    Reference:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, arXiv
        1606.04934, section 4.
    """

    has_density = True
    has_mode = True

    def __init__(self, features: int, latent_shape: Sequence[int], rank: int | None = None) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        if len(self.latent_shape) != 1:
            raise OptionError(
                "The posterior 'full-covariance' takes codes with one axis, not the shape "
                f"{self.latent_shape}: use 'diagonal'."
            )
        size = self.latent_shape[0]
        if rank is not None and not 1 <= rank <= size:
            raise OptionError(
                f"rank must lie between 1 and the code's {size} dimensions, got {rank}."
            )
        self.rank = rank
        self.head = nn.Linear(features, 2 * size)
        below = size * (size - 1) // 2 if rank is None else size * rank
        # A code of one dimension has nothing below its diagonal.
        self.dependence = nn.Linear(features, below) if below else None
        self.register_buffer("places", torch.tril_indices(size, size, -1), persistent=False)

    def forward(self, h: Tensor) -> FullNormal | LowRankNormal:
        loc, scale = location_scale(self.head(h), self.latent_shape)
        if self.dependence is None:
            return FullNormal(loc, torch.diag_embed(scale))
        dependence = full_precision(self.dependence(h))
        if self.rank is not None:
            directions = dependence.unflatten(-1, (-1, self.rank)) / self.rank**0.5
            return LowRankNormal(loc, scale.unsqueeze(-1) * directions, scale)
        row, column = self.get_buffer("places").unbind()
        unit = torch.diag_embed(torch.ones_like(scale))
        unit = unit.index_put(
            (torch.arange(len(h), device=h.device)[:, None], row, column), dependence
        )
        return FullNormal(loc, unit * scale.unsqueeze(-2))
