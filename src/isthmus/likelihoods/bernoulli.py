"""Bernoulli likelihood: binary data."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.bernoulli import Bernoulli
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter


@final
@LIKELIHOODS.register("bernoulli", default_for=("binary",))
class BernoulliLikelihood(OneParameter):
    """Binary elements, each 1 with the probability whose logit the decoder gives.

    Args:
        shape: The event shape D.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("binary",)
    is_mass = True

    def forward(self, parameters: Tensor) -> Bernoulli:
        """Logits (S, B, 1, *D) -> batch (S, B), event D."""
        return Bernoulli(self._only(parameters), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Its logit."""
        return mean.logit()
