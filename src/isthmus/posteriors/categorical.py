"""The categorical posterior: groups of one-hot vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import OneHotCategorical
from isthmus.errors import OptionError, UnsupportedError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, ClassifyingPosterior, DiscretePosterior
from isthmus.posteriors.heads import wide_start
from isthmus.registry import Pick, pick
from isthmus.schedules import Exponential, Paced, Schedule


def standardised_classes(n_categories: int, first: int = 0) -> Pick:
    """The chart of one-hot vectors of K classes, all as likely, behind `first` other numbers: an
    element has the mean 1 / K and the variance (K - 1) / K².
    """
    spread = math.sqrt(n_categories - 1.0) / n_categories
    return pick("standardised", mean=1.0 / n_categories, spread=spread, first=first)


@final
@POSTERIORS.register("categorical")
class CategoricalPosterior(DiscretePosterior, ClassifyingPosterior, Paced):
    """q(z|x) = a choice among K categories for each number of the code, logits linear in the
    features.

    While training, draws are relaxed at a temperature that falls; afterwards they are one-hot, and
    q is exactly what log p(x) is estimated with.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: The groups G; a code has the shape (*G, K).
        n_categories: K.
        temperature: Of the relaxation, over the progress of training; by default from 1 to 0.5.
        straight_through: Training draws take one-hot values and keep the relaxation's gradient.

    Raises:
        OptionError: Fewer than two categories.

    Reference:
        Jang et al., Categorical Reparameterization with Gumbel-Softmax, arXiv 1611.01144; Maddison
        et al., The Concrete Distribution, arXiv 1611.00712.
    """

    has_density = True
    has_mode = True
    has_probabilities = True
    factorised = True
    space = "simplex"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        n_categories: int = 10,
        temperature: Schedule | None = None,
        straight_through: bool = False,
    ) -> None:
        super().__init__()
        if n_categories < 2:
            raise OptionError(f"A choice needs at least 2 categories, got {n_categories}.")
        self.code_shape = tuple(latent_shape)
        self.n_codes = n_categories
        # Each variable has categories of its own.
        self.books = self.code_shape[-1]
        self.latent_shape = (*self.code_shape, n_categories)
        self.chart = standardised_classes(n_categories)
        self.temperature = Exponential() if temperature is None else temperature
        self.straight_through = straight_through
        self.head = wide_start(nn.Linear(features, math.prod(self.latent_shape)))

    def forward(self, h: Tensor) -> OneHotCategorical:
        return OneHotCategorical(
            full_precision(self.head(h)).unflatten(-1, self.latent_shape),
            len(self.latent_shape),
            self.scheduled(self.temperature) if self.training else None,
            self.straight_through,
        )

    def embed(self, indices: Tensor) -> Tensor:
        """Integers (N, *G) -> one-hot vectors (N, *G, K)."""
        return F.one_hot(indices.long(), self.n_codes).to(self.head.weight.dtype)

    def classes(self, q: Distribution) -> Tensor:
        if math.prod(self.code_shape) != 1:
            raise UnsupportedError(
                f"A datum has {math.prod(self.code_shape)} choices here and so no one class: train "
                "with one (categorical-vae: latent_dim=1; joint-vae: n_choices=1)."
            )
        return q.mean.flatten(1)
