"""A learned mixture of Gaussians as the prior: its responsibilities cluster the codes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal, NormalMixture
from isthmus.errors import OptionError
from isthmus.maths import softplus_inverse
from isthmus.priors.base import PRIORS, Infer, StartedPrior

# Fits of which the best is taken, and what every variance has at least, as a share of their mean.
STARTS, RIDGE = 10, 1e-4
NEXT_TO_NEVER = -20.0


@final
@PRIORS.register("mixture")
class MixturePrior(StartedPrior):
    """p(z) = Σ_k π_k Normal(μ_k, diag(σ_k²)), all of it learned.

    It starts with equal weights, means drawn from Normal(0, spread²) and variances 1 − spread²,
    so that as a whole it has the moments of the standard normal, which encoders start near. With
    a `pretraining` it starts again after that share of training, as the mixture that expectation
    maximisation fits to the codes of the training data.

    Args:
        latent_shape: Z.
        components: K.
        spread: Standard deviation of the means at the start, below 1: the larger, the farther
            apart the clusters begin.
        min_scale: What no standard deviation falls below: a component cannot close on one code.
        pretraining: Share of training before the mixture starts at the codes; 0: never.

    Raises:
        OptionError: No component, a spread outside (0, 1), or a pretraining outside [0, 1).

    Reference:
        Jiang et al., Variational Deep Embedding, arXiv 1611.05148.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        components: int = 10,
        spread: float = 0.8,
        min_scale: float = 0.02,
        pretraining: float = 0.0,
    ) -> None:
        super().__init__()
        if components < 1 or not 0.0 < spread < 1.0:
            raise OptionError(
                "The prior 'mixture' needs components >= 1 and a spread between 0 and 1, got "
                f"components={components}, spread={spread}."
            )
        if not 0.0 <= pretraining < 1.0:
            raise OptionError(f"pretraining={pretraining} must be a share of training below 1.")
        self.pretraining = pretraining
        scale = (1.0 - spread**2) ** 0.5
        self.min_scale = min(min_scale, 0.5 * scale)
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(spread * torch.randn(components, *latent_shape))
        raw = softplus_inverse(scale - self.min_scale)
        self.raw_scale = nn.Parameter(torch.full((components, *latent_shape), raw))

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> NormalMixture:
        scale = self.min_scale + nn.functional.softplus(self.raw_scale)
        return NormalMixture(self.logits, self.loc, scale)

    @torch.no_grad()
    def start(self, codes: Tensor, seed: int) -> None:
        """Take weights, means and scales of the best of several fits to codes (N, *Z)."""
        from sklearn.mixture import GaussianMixture

        rows = codes.flatten(1).double().cpu()
        count = min(len(self.logits), len(rows))
        mixture = GaussianMixture(
            count,
            covariance_type="diag",
            reg_covar=max(RIDGE * float(rows.var(0).mean()), 1e-12),
            n_init=STARTS,
            max_iter=300,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # Stopped before it settled, it is a start all the same.
            warnings.simplefilter("ignore")
            mixture.fit(rows.numpy())
        shape = self.loc[:count].shape
        found = (mixture.weights_, mixture.means_, mixture.covariances_)
        weights, means, variances = (torch.from_numpy(each).to(self.loc) for each in found)
        above = (variances.sqrt() - self.min_scale).clamp(min=1e-3).view(shape)
        # Clusters beyond the number of codes begin where they were, and next to never.
        self.logits[count:] = NEXT_TO_NEVER
        self.logits[:count] = weights.log()
        self.loc[:count] = means.view(shape)
        self.raw_scale[:count] = above + torch.log(-torch.expm1(-above))

    @torch.no_grad()
    def responsibilities(self, z: Tensor) -> Tensor:
        """p(c|z) (N, K) of codes (N, *Z): whose cluster a code is."""
        return self().responsibilities(z)

    @torch.no_grad()
    def clusters(self, q: DiagonalNormal) -> Tensor:
        """The best q(c|x) (B, K) for q(z|x): proportional to π_c exp(−KL(q ‖ p(z|c)))."""
        p = self()
        return (p.log_weights - p.component_kl(q)).softmax(-1)
