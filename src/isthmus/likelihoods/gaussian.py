"""Gaussian likelihoods whose scale is given, learned for all data, or put out by the decoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.distributions.normal import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.likelihoods.base import LIKELIHOODS, Likelihood, OneParameter, mean_of
from isthmus.likelihoods.scale import SharedScale, check_positive
from isthmus.maths import softplus_inverse


@final
@LIKELIHOODS.register("gaussian")
class GaussianLikelihood(OneParameter):
    """A Gaussian of fixed scale: squared error, as a density.

    Args:
        shape: The event shape D.
        scale: Standard deviation of every element, in the data's unit.
    """

    affine: ClassVar[bool] = True
    supports: ClassVar[tuple[str, ...]] = ("real", "unit")
    scale: Tensor

    def __init__(self, shape: Sequence[int], scale: float = 1.0) -> None:
        super().__init__(shape)
        self.register_buffer(
            "scale", torch.tensor(check_positive("scale", scale)), persistent=False
        )

    def forward(self, parameters: Tensor) -> DiagonalNormal:
        """Means (S, B, 1, *D) -> batch (S, B), event D."""
        return DiagonalNormal(self._only(parameters), self.scale, len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Itself."""
        return mean


@final
@LIKELIHOODS.register("gaussian-shared", default_for=("real", "unit"))
class SharedGaussianLikelihood(OneParameter):
    """A Gaussian whose scale is learned and the same for all data.

    Args:
        shape: The event shape D.
        per_element: One scale per element, or one for all; None takes one per column of a row
            (D has one axis) and one for all pixels of an image.
        scale: Standard deviation at the start, in the data's unit.
        min_scale: What the scale never falls below.
    """

    affine: ClassVar[bool] = True
    supports: ClassVar[tuple[str, ...]] = ("real", "unit")

    def __init__(
        self,
        shape: Sequence[int],
        per_element: bool | None = None,
        scale: float = 1.0,
        min_scale: float = 1e-3,
    ) -> None:
        super().__init__(shape)
        if per_element is None:
            per_element = len(self.shape) == 1
        self.scale = SharedScale(self.shape if per_element else (), scale, min_scale)

    def forward(self, parameters: Tensor) -> DiagonalNormal:
        """Means (S, B, 1, *D) -> batch (S, B), event D."""
        return DiagonalNormal(self._only(parameters), self.scale(), len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Itself."""
        return mean


@final
@LIKELIHOODS.register("gaussian-datum")
class DatumGaussianLikelihood(Likelihood):
    """A Gaussian whose decoder gives the scale of each element of each datum beside its mean.

    The scale is min_scale + softplus of the decoder's output, shifted so that an output of 0 means
    a scale of 1. Without the bound a constant element would drive its density to infinity.

    Args:
        shape: The event shape D.
        min_scale: What the scale never falls below, in the data's unit; smaller than 1.
    """

    affine: ClassVar[bool] = True
    supports: ClassVar[tuple[str, ...]] = ("real", "unit")

    def __init__(self, shape: Sequence[int], min_scale: float = 1e-2) -> None:
        super().__init__(shape)
        self.min_scale = check_positive("min_scale", min_scale)
        if self.min_scale >= 1.0:
            raise OptionError(
                f"min_scale must lie below 1, the scale at the start; got {min_scale!r}."
            )
        self._shift = softplus_inverse(1.0 - self.min_scale)

    def parameter_shape(self) -> torch.Size:
        """(2, *D): the mean, then the scale before its softplus."""
        return torch.Size((2, *self.shape))

    def forward(self, parameters: Tensor) -> DiagonalNormal:
        """(S, B, 2, *D) -> batch (S, B), event D."""
        loc, raw = self._checked(parameters).unbind(-len(self.shape) - 1)
        return DiagonalNormal(loc, self.min_scale + F.softplus(raw + self._shift), len(self.shape))

    def start(self, data: Iterable[Tensor]) -> Tensor:
        """(2, *D) the data's mean; the scale may start anywhere."""
        mean = mean_of(data)
        return torch.stack([mean, torch.full_like(mean, torch.nan)])
