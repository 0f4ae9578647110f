"""Continuous Bernoulli likelihood: grey values in [0, 1]."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.continuous_bernoulli import ContinuousBernoulli
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter


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
