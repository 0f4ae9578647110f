"""Poisson likelihood: counts."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.poisson import Poisson
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter


@final
@LIKELIHOODS.register("poisson")
class PoissonLikelihood(OneParameter):
    """Counts whose variance is their mean; the decoder gives its logarithm.

    Args:
        shape: The event shape D.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("count",)

    def forward(self, parameters: Tensor) -> Poisson:
        """Log-rates (S, B, 1, *D) -> batch (S, B), event D."""
        return Poisson(self._only(parameters), len(self.shape))
