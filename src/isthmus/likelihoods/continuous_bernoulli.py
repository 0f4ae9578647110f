"""Continuous Bernoulli likelihood: grey values in [0, 1]."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions.continuous_bernoulli import (
    ContinuousBernoulli,
    continuous_bernoulli_mean,
)
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter

# A mean of .02 or .98: beyond it an element that hardly varies would start out of reach.
LARGEST_START = 50.0
BISECTIONS = 40


@final
@LIKELIHOODS.register("continuous-bernoulli")
class ContinuousBernoulliLikelihood(OneParameter):
    """Elements in [0, 1]: binary cross-entropy with the constant that makes it a density.

    Args:
        shape: The event shape D.

    Reference:
        Loaiza-Ganem, Cunningham. The continuous Bernoulli: fixing a pervasive error in variational
        autoencoders. 1907.06845.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("unit",)

    def forward(self, parameters: Tensor) -> ContinuousBernoulli:
        """Logits (S, B, 1, *D) -> batch (S, B), event D."""
        return ContinuousBernoulli(self._only(parameters), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """The logit of that mean, by bisection; never more than 50 in size."""
        low = torch.full_like(mean, -LARGEST_START)
        high = -low
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            below = continuous_bernoulli_mean(middle) < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return 0.5 * (low + high)
