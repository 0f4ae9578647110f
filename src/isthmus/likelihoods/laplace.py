"""Laplace likelihood: absolute error, as a density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from torch import Tensor

from isthmus.distributions.laplace import DiagonalLaplace
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter
from isthmus.likelihoods.scale import SharedScale


@final
@LIKELIHOODS.register("laplace")
class LaplaceLikelihood(OneParameter):
    """A Laplace density: under its heavier tails an outlying element costs less than a Gaussian's.

    Args:
        shape: The event shape D.
        scale: Mean absolute deviation, fixed or at the start, in the data's unit.
        learned: Whether the scale is learned, one for all data and elements.
        min_scale: What a learned scale never falls below.
    """

    affine: ClassVar[bool] = True
    supports: ClassVar[tuple[str, ...]] = ("real", "unit")

    def __init__(
        self,
        shape: Sequence[int],
        scale: float = 1.0,
        learned: bool = True,
        min_scale: float = 1e-3,
    ) -> None:
        super().__init__(shape)
        self.scale = SharedScale((), scale, min_scale)
        self.scale.requires_grad_(learned)

    def forward(self, parameters: Tensor) -> DiagonalLaplace:
        """Medians (S, B, 1, *D) -> batch (S, B), event D."""
        return DiagonalLaplace(self._only(parameters), self.scale(), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Itself."""
        return mean
