"""A code that is a choice of the data's own features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.distributions import Delta
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.schedules import Exponential, Paced


@final
@POSTERIORS.register("concrete-selector")
class ConcreteSelector(Posterior, Paced):
    r"""z = k of the H features, as they are.

    While training, each latent is the mean of the features under one Gumbel-softmax draw per batch,
    :math:`\mathrm{softmax}((\alpha_i + g_i) / T)`, whose temperature falls geometrically;
    afterwards it is the one feature of the largest alpha.

    Args:
        features: H, the data's own size.
        latent_shape: Z = (k,).
        start: The temperature at the beginning of training.
        end: The temperature at its end.

    Raises:
        OptionError: More features are to be chosen than there are, or a temperature is not
            positive.

    Reference:
        Abid, Balin and Zou, Concrete Autoencoders for Differentiable Feature Selection and
        Reconstruction, arXiv 1901.09346.
    """

    has_density = False
    has_mode = False

    def __init__(
        self, features: int, latent_shape: Sequence[int], start: float = 10.0, end: float = 0.1
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        k = math.prod(self.latent_shape)
        if k > features:
            raise OptionError(
                f"{k} features cannot be chosen from {features}: use latent_dim={features} or less."
            )
        if min(start, end) <= 0:
            raise OptionError(
                f"The temperature cannot go from {start} to {end}: both must be positive."
            )
        self.temperature = Exponential(end, start, math.log(start / end))
        self.logits = nn.Parameter(1e-2 * torch.randn(k, features))

    @property
    def chosen(self) -> Tensor:
        """(k,) the index of the feature that each latent is."""
        return self.logits.argmax(1)

    def forward(self, h: Tensor) -> Delta:
        h = full_precision(h)
        z = h @ self._draw().T if self.training else h[:, self.chosen]
        return Delta(z.unflatten(-1, self.latent_shape), len(self.latent_shape))

    def _draw(self) -> Tensor:
        """(k, H) a soft choice of the features."""
        gumbel = -torch.empty_like(self.logits).exponential_().log()
        return F.softmax((self.logits + gumbel) / self.scheduled(self.temperature), dim=1)
