"""The posterior on the sphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.distributions import VonMisesFisher
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.registry import pick

# A posterior of a tenth of the prior's variance has a kappa of ten times the dimension, and an
# optimiser moves what the head says by little more in a step than it would a Gaussian's log
# variance, which says the same in two or three units.
GAIN = 10.0


@final
@POSTERIORS.register("von-mises-fisher")
class SpherePosterior(Posterior):
    """q(z|x) = von Mises–Fisher(direction(x), 1 + softplus(10 a(x))) on the sphere of R^Z.

    Direction and a are linear in the features. The factor, which the paper has not, is about how
    soon a concentration is learned; the values that it can take are the same.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z, one axis of at least 2.

    Raises:
        OptionError: The code has more than one axis, or a single number.

    Reference:
        Davidson et al., Hyperspherical Variational Auto-Encoders, arXiv 1804.00891.
    """

    has_density = True
    has_mode = True
    space = "sphere"

    def __init__(self, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        if len(self.latent_shape) != 1 or self.latent_shape[0] < 2:
            raise OptionError(
                "The posterior 'von-mises-fisher' takes a code of one axis and at least 2 numbers, "
                f"not the shape {self.latent_shape}: use a latent_dim of 2 or more."
            )
        self.chart = pick("standardised", spread=1.0 / math.sqrt(self.latent_shape[0]))
        self.head = nn.Linear(features, self.latent_shape[0] + 1)

    def forward(self, h: Tensor) -> VonMisesFisher:
        out = full_precision(self.head(h))
        loc = F.normalize(out[:, :-1], dim=-1, eps=1e-12)
        return VonMisesFisher(loc, 1.0 + F.softplus(GAIN * out[:, -1]))
