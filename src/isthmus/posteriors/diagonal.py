"""The diagonal Gaussian posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from isthmus.distributions import DiagonalNormal
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import linear_head, location_scale


@final
@POSTERIORS.register("diagonal")
class DiagonalGaussian(Posterior):
    """q(z|x) = Normal(mean(x), diag(variance(x))), both linear in the features.

    Over a feature map (B, H, h, w) one linear map serves every cell, and z is a map (width, h, w).

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z; (width, h, w) over a feature map.
        grid: (h, w) where the features are a map.

    Reference:
        Kingma & Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
    """

    has_density = True
    has_mode = True
    factorised = True

    def __init__(
        self, features: int, latent_shape: Sequence[int], grid: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.head = linear_head(features, self.latent_shape, 2, grid)

    def forward(self, h: Tensor) -> DiagonalNormal:
        loc, scale = location_scale(self.head(h), self.latent_shape)
        return DiagonalNormal(loc, scale, len(self.latent_shape))
