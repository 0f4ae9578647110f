"""Gaussian priors: the standard normal, and a Gaussian fitted to the codes after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from isthmus.distributions import DiagonalNormal
from isthmus.priors.after import mode_of_codes
from isthmus.priors.base import PRIORS, FittedPrior, Infer, Prior, one_axis


@final
@PRIORS.register("standard-normal")
class StandardNormal(Prior):
    """p(z) = Normal(0, I).

    Args:
        latent_shape: Z.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self._dims = len(latent_shape)
        self.register_buffer("loc", torch.zeros(*latent_shape), persistent=False)
        self.register_buffer("scale", torch.ones(()), persistent=False)

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> DiagonalNormal:
        return DiagonalNormal(self.loc, self.scale, self._dims, is_standard=True)


@final
@PRIORS.register("fitted-gaussian")
class FittedGaussian(FittedPrior):
    """p(z) = Normal(mean, covariance) of the training codes: what a deterministic code is sampled
    from.

    It is the standard normal until it is fitted.

    Args:
        latent_shape: Z, one axis.
        ridge: Share of the mean variance that is added to the covariance's diagonal, so that a code
            with an idle dimension has a density.
        fitted_to: "mean" or "sample" codes.

    Reference:
        Ghosh et al., From Variational to Deterministic Autoencoders, arXiv 1903.12436.
    """

    def __init__(
        self, latent_shape: Sequence[int], ridge: float = 1e-6, fitted_to: str = "mean"
    ) -> None:
        super().__init__()
        width = one_axis("fitted-gaussian", latent_shape)
        self.ridge = ridge
        self.fitted_to = mode_of_codes(fitted_to)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("factor", torch.eye(width))

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> MultivariateNormal:
        mean, factor = self.get_buffer("mean"), self.get_buffer("factor")
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)

    @torch.no_grad()
    def fit(self, codes: Tensor) -> None:
        """Fit mean and covariance to codes (N, Z)."""
        codes = codes.double()
        covariance = torch.atleast_2d(torch.cov(codes.T))
        ridge = self.ridge * covariance.diagonal().mean().clamp(min=1e-12)
        covariance.diagonal().add_(ridge)
        self.get_buffer("mean").copy_(codes.mean(0))
        self.get_buffer("factor").copy_(torch.linalg.cholesky(covariance))
