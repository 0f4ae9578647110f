"""Negative binomial likelihood: counts that vary more than a Poisson's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.negative_binomial import NegativeBinomial
from isthmus.likelihoods.base import LARGEST_LOG, LIKELIHOODS, OneParameter
from isthmus.likelihoods.scale import SharedScale
from isthmus.maths import linear_above


@final
@LIKELIHOODS.register("negative-binomial", default_for=("count",))
class NegativeBinomialLikelihood(OneParameter):
    """Counts with variance m + m^2 / r: the decoder gives log m, and each element's r is learned.

    Args:
        shape: The event shape D.
        inverse_dispersion: r at the start; large values come near a Poisson.
        min_inverse_dispersion: What r never falls below.

    Reference:
        Lopez et al. Deep generative modeling for single-cell transcriptomics. Nature Methods 2018,
        the model scVI.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("count",)
    is_mass = True

    def __init__(
        self,
        shape: Sequence[int],
        inverse_dispersion: float = 1.0,
        min_inverse_dispersion: float = 1e-4,
    ) -> None:
        super().__init__(shape)
        self.inverse_dispersion = SharedScale(
            self.shape, inverse_dispersion, min_inverse_dispersion
        )

    def forward(self, parameters: Tensor) -> NegativeBinomial:
        """(S, B, 1, *D), log-means as far as counts go -> batch (S, B), event D."""
        log_mean = linear_above(self._only(parameters), LARGEST_LOG)
        return NegativeBinomial(log_mean, self.inverse_dispersion(), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Its logarithm."""
        return mean.log()
