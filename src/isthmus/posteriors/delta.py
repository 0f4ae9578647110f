"""The deterministic code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.distributions import Delta
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior


@final
@POSTERIORS.register("delta")
class Deterministic(Posterior):
    """A point mass at a linear map of the features: it has no density, hence no rate and no argmax.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
    """

    has_density = False
    has_mode = False

    def __init__(self, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.head = nn.Linear(features, math.prod(self.latent_shape))

    def forward(self, h: Tensor) -> Delta:
        return Delta(
            full_precision(self.head(h)).unflatten(-1, self.latent_shape), len(self.latent_shape)
        )
