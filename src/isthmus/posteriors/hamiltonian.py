"""The Hamiltonian posterior: the encoder's Gaussian, moved along the model's own gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import DiagonalNormal, HamiltonianDistribution
from isthmus.distributions.geometry import Geometry
from isthmus.errors import OptionError
from isthmus.posteriors.base import POSTERIORS, RefinedPosterior
from isthmus.posteriors.flows import at_least_one
from isthmus.posteriors.heads import location_scale

# Steps beyond it leave the neighbourhood in which a leapfrog follows the dynamics.
LONGEST_STEP = 0.5


@final
@POSTERIORS.register("hamiltonian")
class HamiltonianPosterior(RefinedPosterior):
    """The encoder's Gaussian after leapfrog steps along the gradient of log p(x, z), tempered.

    log q is the density in the extended space of code and momentum over the momentum's own, so a
    bound on log p(x) stays one. The step size of each dimension and the starting temperature are
    learned with the rest. There is no mode in closed form, so `argmax` is refused; the code "mean"
    is the Gaussian's mean, moved without momentum.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        steps: K; every one costs a pass through the decoder and back.
        step_size: At the start of training; it stays below one half.
        inverse_heat: beta_0 in (0, 1), at the start of training; near 1 there is no tempering.

    Raises:
        OptionError: A step size or a temperature out of its range.

    Reference:
        Caterini, Doucet & Sejdinovic, Hamiltonian Variational Auto-Encoder, arXiv 1805.11328.
    """

    has_density = True
    has_mode = False
    joint_density = True

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        steps: int = 3,
        step_size: float = 0.02,
        inverse_heat: float = 0.3,
    ) -> None:
        super().__init__()
        at_least_one("steps", steps)
        if not 0.0 < step_size < LONGEST_STEP:
            raise OptionError(f"step_size must lie between 0 and {LONGEST_STEP}, got {step_size}.")
        if not 0.0 < inverse_heat < 1.0:
            raise OptionError(f"inverse_heat must lie between 0 and 1, got {inverse_heat}.")
        self.latent_shape = tuple(latent_shape)
        self.steps = steps
        self.head = nn.Linear(features, 2 * math.prod(self.latent_shape))
        start = torch.full(self.latent_shape, step_size / LONGEST_STEP)
        self.step = nn.Parameter(start.logit())
        self.inverse_heat = nn.Parameter(torch.tensor(inverse_heat).logit())

    def forward(self, h: Tensor) -> DiagonalNormal:
        """The encoder's Gaussian, where the steps begin."""
        loc, scale = location_scale(self.head(h), self.latent_shape)
        return DiagonalNormal(loc, scale, len(self.latent_shape))

    def refine(
        self, q: Distribution, log_joint: Callable[[Tensor], Tensor]
    ) -> HamiltonianDistribution:
        return self.moved(cast(DiagonalNormal, q), log_joint)  # what `forward` returned

    def moved(
        self,
        base: DiagonalNormal,
        log_joint: Callable[[Tensor], Tensor],
        geometry: Geometry | None = None,
    ) -> HamiltonianDistribution:
        """The base after the steps, in a flat space where no other is given."""
        step, heat = LONGEST_STEP * self.step.sigmoid(), self.inverse_heat.sigmoid()
        return HamiltonianDistribution(base, log_joint, step, heat, self.steps, geometry)
