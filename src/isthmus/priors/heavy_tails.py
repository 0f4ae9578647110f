"""Priors with heavier tails than a Gaussian's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.distributions import DiagonalLaplace, DiagonalStudent
from isthmus.errors import OptionError
from isthmus.priors.base import PRIORS, Infer, Prior


@final
@PRIORS.register("laplace")
class StandardLaplace(Prior):
    """p(z) = Laplace(0, scale) in every dimension: half of a code lies within 0.7 scales of zero.

    Args:
        latent_shape: Z.
        scale: Mean absolute deviation.

    Raises:
        OptionError: The scale is not positive.
    """

    def __init__(self, latent_shape: Sequence[int], scale: float = 1.0) -> None:
        super().__init__()
        if scale <= 0.0:
            raise OptionError(f"The scale of a Laplace prior must be positive, got {scale}.")
        self._dims = len(latent_shape)
        self.register_buffer("loc", torch.zeros(*latent_shape), persistent=False)
        self.register_buffer("scale", torch.tensor(float(scale)), persistent=False)

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> DiagonalLaplace:
        return DiagonalLaplace(self.get_buffer("loc"), self.get_buffer("scale"), self._dims)


@final
@PRIORS.register("student")
class StandardStudent(Prior):
    """p(z) = Student's t with `df` degrees of freedom in every dimension.

    Args:
        latent_shape: Z.
        df: Degrees of freedom; the fewer, the heavier the tails.

    Raises:
        OptionError: df is not positive.
    """

    def __init__(self, latent_shape: Sequence[int], df: float = 5.0) -> None:
        super().__init__()
        if df <= 0.0:
            raise OptionError(f"The degrees of freedom must be positive, got {df}.")
        self._dims = len(latent_shape)
        self.register_buffer("loc", torch.zeros(*latent_shape), persistent=False)
        self.register_buffer("scale", torch.ones(()), persistent=False)
        self.register_buffer("df", torch.tensor(float(df)), persistent=False)

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> DiagonalStudent:
        loc, scale, df = (self.get_buffer(name) for name in ("loc", "scale", "df"))
        return DiagonalStudent(loc, scale, df, self._dims)
