"""The deterministic code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from isthmus.distributions import Delta
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import linear_head


@final
@POSTERIORS.register("delta")
class Deterministic(Posterior):
    """A point mass at a linear map of the features: it has no density, hence no rate and no argmax.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z; (width, h, w) over a feature map.
        grid: (h, w) where the features are a map.
    """

    has_density = False
    has_mode = False

    def __init__(
        self, features: int, latent_shape: Sequence[int], grid: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.head = linear_head(features, self.latent_shape, 1, grid)

    def forward(self, h: Tensor) -> Delta:
        z = full_precision(self.head(h)).reshape(-1, *self.latent_shape)
        return Delta(z, len(self.latent_shape))
