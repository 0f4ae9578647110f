"""Posteriors with heavier tails than a Gaussian's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.distributions import DiagonalLaplace, DiagonalStudent
from isthmus.errors import OptionError
from isthmus.maths import softplus_inverse
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import location_scale

# Below it a code has no variance, and its rate to a normal prior is infinite.
LEAST_DF = 2.0


@final
@POSTERIORS.register("laplace")
class LaplacePosterior(Posterior):
    """q(z|x) = Laplace(location(x), scale(x)) in every dimension, both read from the features.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.

    Reference:
        Kingma & Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114, section 2.4.
    """

    has_density = True
    has_mode = True
    factorised = True

    def __init__(self, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.head = nn.Linear(features, 2 * math.prod(self.latent_shape))

    def forward(self, h: Tensor) -> DiagonalLaplace:
        loc, scale = location_scale(self.head(h), self.latent_shape)
        return DiagonalLaplace(loc, scale, len(self.latent_shape))


@final
@POSTERIORS.register("student")
class StudentPosterior(Posterior):
    """q(z|x) = location(x) + scale(x) · Student's t; each dimension learns its degrees of freedom.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        df: Degrees of freedom at the start of training, above 2; they stay above it.

    Raises:
        OptionError: df is not above 2.

    Reference:
        Kingma & Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114, section 2.4.
    """

    has_density = True
    has_mode = True
    factorised = True

    def __init__(self, features: int, latent_shape: Sequence[int], df: float = 5.0) -> None:
        super().__init__()
        if df <= LEAST_DF:
            raise OptionError(f"df must be above {LEAST_DF:g}, where a variance begins, got {df}.")
        self.latent_shape = tuple(latent_shape)
        self.head = nn.Linear(features, 2 * math.prod(self.latent_shape))
        start = softplus_inverse(df - LEAST_DF)
        self.excess = nn.Parameter(torch.full(self.latent_shape, start))

    def forward(self, h: Tensor) -> DiagonalStudent:
        loc, scale = location_scale(self.head(h), self.latent_shape)
        return DiagonalStudent(
            loc, scale, LEAST_DF + F.softplus(self.excess), len(self.latent_shape)
        )
