"""Densities fitted to codes after training: a Gaussian mixture and a normalising flow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    MixtureSameFamily,
    MultivariateNormal,
)

from isthmus.errors import OptionError
from isthmus.priors.after import AdamSteps, Units, mode_of_codes
from isthmus.priors.base import PRIORS, FittedPrior, Infer, one_axis
from isthmus.priors.flow import autoregressive, density


@final
@PRIORS.register("fitted-mixture")
class FittedMixture(FittedPrior):
    """p(z) = Σ_k π_k Normal(μ_k, Σ_k), fitted to the codes by expectation maximisation.

    It is the standard normal until it is fitted.

    Args:
        latent_shape: Z, one axis.
        components: K; fewer where there are fewer codes.
        ridge: Share of the mean variance that is added to each covariance's diagonal.
        fitted_to: "mean" or "sample" codes.

    Raises:
        OptionError: No component.

    Reference:
        Ghosh et al., From Variational to Deterministic Autoencoders, arXiv 1903.12436.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        components: int = 10,
        ridge: float = 1e-6,
        fitted_to: str = "mean",
    ) -> None:
        super().__init__()
        width = one_axis("fitted-mixture", latent_shape)
        if components < 1:
            raise OptionError(
                f"The prior 'fitted-mixture' needs components >= 1, got {components}."
            )
        self.ridge = ridge
        self.fitted_to = mode_of_codes(fitted_to)
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("mean", torch.zeros(components, width))
        self.register_buffer("factor", torch.eye(width).repeat(components, 1, 1))

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> MixtureSameFamily:
        logits, mean, factor = (self.get_buffer(n) for n in ("logits", "mean", "factor"))
        return MixtureSameFamily(
            Categorical(logits=logits, validate_args=False),
            MultivariateNormal(mean, scale_tril=factor, validate_args=False),
            validate_args=False,
        )

    @torch.no_grad()
    def fit(self, codes: Tensor) -> None:
        """Fit weights, means and covariances to codes (N, Z)."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        rows = codes.double().cpu().numpy()
        logits = self.get_buffer("logits")
        count = min(len(logits), len(rows))
        mixture = GaussianMixture(
            count,
            reg_covar=max(self.ridge * float(rows.var(0).mean()), 1e-12),
            max_iter=300,
            random_state=int(torch.randint(2**31 - 1, ())),
        )
        with warnings.catch_warnings():
            # Stopped before it settled, it is a density all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows)
        logits.fill_(-math.inf)
        logits[:count] = torch.from_numpy(mixture.weights_).log().to(logits)
        self.get_buffer("mean")[:count] = torch.from_numpy(mixture.means_).to(logits)
        factor = torch.linalg.cholesky(torch.from_numpy(mixture.covariances_))
        self.get_buffer("factor")[:count] = factor.to(logits)


@final
@PRIORS.register("fitted-flow")
class FittedFlow(FittedPrior):
    """p(z) by a masked autoregressive flow, fitted to the codes by maximum likelihood.

    It is the standard normal until it is fitted. Codes are standardised by dimension and blurred
    by a little noise: deterministic ones may lie on a surface, which has no density.

    Args:
        latent_shape: Z, one axis.
        kind: "spline" or "affine".
        transforms: How many.
        hidden: Widths of each transform's network.
        blur: Standard deviation of the noise, as a share of each dimension's.
        steps: Of Adam.
        batch_size: Codes in one step.
        lr: Peak learning rate; it falls to 0 along a cosine.
        fitted_to: "mean" or "sample" codes.

    Reference:
        Durkan et al., Neural Spline Flows, arXiv 1906.04032.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        kind: str = "spline",
        transforms: int = 3,
        hidden: Sequence[int] = (64, 64),
        blur: float = 0.02,
        steps: int = 2000,
        batch_size: int = 256,
        lr: float = 2e-3,
        fitted_to: str = "mean",
    ) -> None:
        super().__init__()
        width = one_axis("fitted-flow", latent_shape)
        self.flow = autoregressive(kind, width, transforms, hidden, 0.0).requires_grad_(False)
        self.units = Units(width)
        self.blur = blur
        self.steps = AdamSteps(steps, batch_size, lr)
        self.fitted_to = mode_of_codes(fitted_to)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Distribution:
        return self.units.restore(density(self.flow))

    def fit(self, codes: Tensor) -> None:
        """Fit the flow to codes (N, Z)."""
        self.steps.minimise(self.flow, self._loss, self.units.learn(codes))

    def _loss(self, codes: Tensor) -> Tensor:
        noisy = codes + self.blur * torch.randn_like(codes)
        return -density(self.flow).log_prob(noisy).mean()
