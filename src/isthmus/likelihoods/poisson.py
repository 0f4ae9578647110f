"""Poisson likelihood: counts."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.poisson import Poisson
from isthmus.likelihoods.base import LARGEST_LOG, LIKELIHOODS, OneParameter
from isthmus.maths import linear_above


@final
@LIKELIHOODS.register("poisson")
class PoissonLikelihood(OneParameter):
    """Counts whose variance is their mean; the decoder gives its logarithm.

    Args:
        shape: The event shape D.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("count",)
    is_mass = True

    def forward(self, parameters: Tensor) -> Poisson:
        """(S, B, 1, *D), log-rates as far as counts go -> batch (S, B), event D."""
        return Poisson(linear_above(self._only(parameters), LARGEST_LOG), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Its logarithm."""
        return mean.log()
