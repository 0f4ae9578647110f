"""Chains along a geometric path between two densities, moved by Hamiltonian transitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.distributions import Distribution

# Where the acceptance rate of a transition is to be, and how fast a step's logarithm follows.
ACCEPTED = 0.8
FOLLOWING = 0.2
# The steepness of the sigmoid of temperatures.
STEEPNESS = 4.0
# A chain's steps are this much longer or shorter by chance, so that none goes in circles.
JITTER = 0.2


def temperatures(steps: int, like: Tensor) -> Tensor:
    """Inverse temperatures (T + 1,) from 0 to 1 along a sigmoid: close together at both ends.

    Reference:
        Grosse, Ghahramani & Adams, arXiv 1511.02543, section 5.
    """
    at = torch.linspace(-STEEPNESS, STEEPNESS, steps + 1, dtype=like.dtype, device=like.device)
    betas = torch.sigmoid(at)
    return (betas - betas[0]) / (betas[-1] - betas[0])


@final
@dataclass(frozen=True)
class Steps:
    """How chains are moved.

    Args:
        betas: (T + 1,) inverse temperatures, from 0 to 1.
        lengths: (T − 1, B) of a step at each temperature in between.
        leapfrogs: In one transition.
    """

    betas: Tensor
    lengths: Tensor
    leapfrogs: int


class State(NamedTuple):
    """Where chains are, and what both ends of the path say of it.

    Args:
        z: (S, B, *Z).
        first: (S, B) log density at the start.
        last: (S, B) at the end.
        first_slope: Gradient of `first` by z.
        last_slope: Gradient of `last` by z.
    """

    z: Tensor
    first: Tensor
    last: Tensor
    first_slope: Tensor
    last_slope: Tensor

    def energy(self, beta: Tensor) -> Tensor:
        """(S, B) the negative log density on the path."""
        return -(1.0 - beta) * self.first - beta * self.last

    def slope(self, beta: Tensor) -> Tensor:
        """The gradient of the log density on the path."""
        return (1.0 - beta) * self.first_slope + beta * self.last_slope


@final
@dataclass(frozen=True)
class Path:
    r"""The path :math:`f_0(z)^{1-\beta} f_1(z)^\beta` for B data at once.

    Args:
        start: f_0, normalised; batch () or (B,), event Z.
        target: z (S, B, *Z) -> log f_1 (S, B), differentiable in z.
        batch: B.
        start_spread: (B, *Z) standard deviations of f_0, about.
        spread: (B, *Z) of f_1, about.
    """

    start: Distribution
    target: Callable[[Tensor], Tensor]
    batch: int
    start_spread: Tensor
    spread: Tensor

    def forwards(self, steps: Steps, chains: int) -> Tensor:
        """Log weights (S, B) of chains from the start, whose exponentials have the mean ∫ f_1."""
        state = self.at(self.draw(chains))
        log_weight = torch.zeros_like(state.first)
        for t in range(1, len(steps.betas)):
            if t > 1:
                state = self.moved(state, steps, t - 1)[0]
            log_weight += (steps.betas[t] - steps.betas[t - 1]) * (state.last - state.first)
        return log_weight

    def backwards(self, steps: Steps, z: Tensor) -> Tensor:
        """Log weights (S, B) of chains to the start from z ~ f_1.

        The exponentials of their negatives have the mean 1 / ∫ f_1. The chains of one datum may all
        begin at the same z.
        """
        state = self.at(z)
        log_weight = torch.zeros_like(state.first)
        for t in range(len(steps.betas) - 1, 0, -1):
            log_weight += (steps.betas[t] - steps.betas[t - 1]) * (state.last - state.first)
            if t > 1:
                state = self.moved(state, steps, t - 1)[0]
        return log_weight

    def draw(self, chains: int) -> Tensor:
        """Z (S, B, *Z) from the start."""
        shape = (chains,) if self.start.batch_shape else (chains, self.batch)
        return self.start.sample(torch.Size(shape))

    def at(self, z: Tensor) -> State:
        """What both ends say of z (S, B, *Z)."""
        with torch.enable_grad():
            here = z.detach().requires_grad_()
            first, last = self.start.log_prob(here), self.target(here)
            slopes = [torch.autograd.grad(density.sum(), here)[0] for density in (first, last)]
        return State(here.detach(), first.detach(), last.detach(), *slopes)

    def moved(self, state: State, steps: Steps, t: int) -> tuple[State, Tensor]:
        """The chains after a transition that keeps the density at temperature t.

        Returns:
            Where they are, and (S, B) how likely each move was to be accepted.
        """
        beta, axes = steps.betas[t], range(2, state.z.dim())
        jitter = 1.0 + JITTER * (2.0 * torch.rand_like(state.first) - 1.0)
        length = (steps.lengths[t - 1] * jitter).reshape(*state.first.shape, *(1 for _ in axes))
        # As the precisions of normals do along this path.
        spread = ((1.0 - beta) / self.start_spread**2 + beta / self.spread**2).rsqrt()
        stride, momentum = length * spread, torch.randn_like(state.z)
        kinetic = momentum.square().flatten(2).sum(2) / 2.0
        new = state
        for _ in range(steps.leapfrogs):
            momentum = momentum + 0.5 * stride * new.slope(beta)
            new = self.at(new.z + stride * momentum)
            momentum = momentum + 0.5 * stride * new.slope(beta)
        change = new.energy(beta) - state.energy(beta)
        change = change + momentum.square().flatten(2).sum(2) / 2.0 - kinetic
        # A trajectory that left the numbers is refused.
        likely = (-change).exp().clamp(max=1.0).nan_to_num(0.0)
        taken = torch.rand_like(likely) < likely
        wide = taken.reshape(*taken.shape, *(1 for _ in axes))
        kept = [
            torch.where(wide if new_part.dim() > 2 else taken, new_part, old_part)
            for new_part, old_part in zip(new, state, strict=True)
        ]
        return State(*kept), likely


def tuned(path: Path, betas: Tensor, chains: int, leapfrogs: int) -> Steps:
    """Step lengths for each datum and temperature, by chains that run ahead.

    They are followed towards an acceptance rate of 0.8. As these chains take no part in any
    weight, the transitions of those that do are exact.

    Args:
        path: Of B data.
        betas: (T + 1,) from 0 to 1.
        chains: That run ahead.
        leapfrogs: In one transition.
    """
    dims = max(1, math.prod(path.spread.shape[1:]))
    length = path.spread.new_full((path.batch,), 0.8 * dims**-0.25)
    lengths = length.expand(len(betas) - 2, path.batch).clone()
    steps = Steps(betas, lengths, leapfrogs)
    if not len(lengths):
        return steps
    state = path.at(path.draw(chains))
    for t in range(1, len(betas) - 1):
        lengths[t - 1] = length
        state, likely = path.moved(state, steps, t)
        length = length * (FOLLOWING * (likely.mean(0) - ACCEPTED)).exp()
    return steps
