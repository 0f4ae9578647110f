"""Draws moved towards a target density by Hamiltonian steps, weighed in the extended space."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from isthmus.distributions.geometry import Flat, Geometry
from isthmus.distributions.normal import DiagonalNormal
from isthmus.distributions.traced import TracedDistribution


@final
class HamiltonianDistribution(TracedDistribution):
    r"""A normal's draws after K leapfrog steps on :math:`-\log p(x, z)`, tempered on the way.

    A draw is (z, momentum), both started at random and moved by a map that keeps volumes, so its
    density in the extended space is known. `log_prob` is that density over the momentum's own,

    .. math:: \log q_0(z_0) + \log N(\gamma_0) - \log N(\rho_K),

    each momentum's density being that of the geometry where it is,

    so that p(x, z) over its exponential is a proper importance weight: the mean is p(x). It is the
    draw's own momentum that is weighed; for a value from elsewhere one is drawn and the steps are
    taken back, which makes its exponential an unbiased estimate of the marginal density.

    The mean is that of the base, moved without momentum: deterministic, not the mean of q itself.

    Args:
        base: q_0, batch (B,), event (Z,).
        log_joint: z (S, B, *Z) -> log p(x, z) (S, B), differentiable in z.
        step: (*Z) step sizes.
        inverse_heat: () the inverse temperature beta_0 in (0, 1]; it climbs to 1 by
            :math:`\beta_k^{-1/2} = (1 - \beta_0^{-1/2}) k^2 / K^2 + \beta_0^{-1/2}`.
        steps: K.
        geometry: The space that the steps are taken in; flat where it is None.

    Reference:
        Caterini, Doucet & Sejdinovic, Hamiltonian Variational Auto-Encoder, arXiv 1805.11328.
    """

    def __init__(
        self,
        base: DiagonalNormal,
        log_joint: Callable[[Tensor], Tensor],
        step: Tensor,
        inverse_heat: Tensor,
        steps: int,
        geometry: Geometry | None = None,
    ) -> None:
        self.base = base
        self.geometry = Flat() if geometry is None else geometry
        self.log_joint = log_joint
        self.step = step
        self.steps = steps
        first = inverse_heat.rsqrt()
        roots = [(1.0 - first) * (k / steps) ** 2 + first for k in range(steps + 1)]
        self.start = first
        # The momentum is scaled by sqrt(beta_{k-1} / beta_k) after step k.
        self.cooling = [roots[k] / roots[k - 1] for k in range(1, steps + 1)]
        super().__init__(base.batch_shape, base.event_shape)

    @property
    def mean(self) -> Tensor:
        """The base's mean, moved without momentum."""
        mean = self.base.mean
        return self._move(mean, torch.zeros_like(mean))[0]

    def draw(self, shape: torch.Size) -> tuple[Tensor, Tensor]:
        z = self.base.rsample(shape)
        gamma = self.geometry.momentum(z, torch.randn_like(z))
        moved, momentum = self._move(z, gamma * self.start)
        return moved, self._weighed(z, gamma, moved, momentum)

    def density(self, value: Tensor) -> Tensor:
        value = value.expand(torch.broadcast_shapes(value.shape, self.base.shape))
        momentum = self.geometry.momentum(value, torch.randn_like(value))
        z, rho = self._move_back(value, momentum)
        return self._weighed(z, rho / self.start, value, momentum)

    def _weighed(self, z: Tensor, gamma: Tensor, moved: Tensor, momentum: Tensor) -> Tensor:
        axes = len(self.event_shape)
        first = self.geometry.energy(z, gamma, axes)
        last = self.geometry.energy(moved, momentum, axes)
        # The normals' constants cancel, as do beta_0's power and the coolings' determinant.
        return self.base.log_prob(z) + (last - first)

    def _move(self, z: Tensor, momentum: Tensor) -> tuple[Tensor, Tensor]:
        slope = self._slope(z)
        for cooling in self.cooling:
            state = (z, momentum, slope)
            z, momentum, slope = self.geometry.leap(state, self.step, self._slope)
            momentum = momentum * cooling
        return z, momentum

    def _move_back(self, z: Tensor, momentum: Tensor) -> tuple[Tensor, Tensor]:
        slope = self._slope(z)
        for cooling in reversed(self.cooling):
            state = (z, momentum / cooling, slope)
            z, momentum, slope = self.geometry.leap(state, -self.step, self._slope)
        return z, momentum

    def _slope(self, z: Tensor) -> Tensor:
        """The gradient of log p(x, z) by z; differentiable itself where gradients are wanted."""
        wanted = torch.is_grad_enabled()
        with torch.enable_grad():
            at = z if wanted and z.requires_grad else z.detach().requires_grad_()
            total = self.log_joint(at.reshape(-1, *self.base.shape)).sum()
            slope = torch.autograd.grad(total, at, create_graph=wanted)[0]
        return slope if wanted else slope.detach()
