"""The diagonal Gaussian posterior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior

# exp(.5 * 20) and exp(.5 * -30): wide enough for any code, narrow enough for float32.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


@final
@POSTERIORS.register("diagonal")
class DiagonalGaussian(Posterior):
    """q(z|x) = Normal(mean(x), diag(variance(x))), both linear in the features.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.

    Reference:
        Kingma & Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
    """

    has_density = True
    has_mode = True

    def __init__(self, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.head = nn.Linear(features, 2 * math.prod(self.latent_shape))

    def forward(self, h: Tensor) -> DiagonalNormal:
        mean, log_variance = (
            full_precision(self.head(h)).unflatten(-1, (2, *self.latent_shape)).unbind(1)
        )
        scale = log_variance.clamp(*LOG_VARIANCE_RANGE).mul(0.5).exp()
        return DiagonalNormal(mean, scale, len(self.latent_shape))
