"""Shortest paths under the metric that the decoder pulls back from the data to the codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from isthmus.answering import answering
from isthmus.conditions import for_each
from isthmus.errors import DataError, OptionError
from isthmus.latent.paths import ends
from isthmus.latent.space import CodeSpace, space_of
from isthmus.model import LatentModel

# A step has to bring this share of what the slope promises.
ARMIJO = 1e-4
# Steps grow at most so much from one to the next.
GROWTH = 8.0


@final
@dataclass(frozen=True)
class Geodesics:
    """Paths that are short in the data.

    Args:
        codes: (B, T, *Z), both ends included.
        energy: (I + 1, B) after each iteration; it never rises.
        length: (B,) of the decoded paths, in the model's scaled units.
        straight_length: (B,) of the decoded paths that the search began with.
    """

    codes: Tensor
    energy: Tensor
    length: Tensor
    straight_length: Tensor


class _State(NamedTuple):
    points: Tensor
    energy: Tensor
    slope: Tensor


# Inner points (B, T - 2, n) -> decoded points (B, T, m), both ends included.
Surface = Callable[[Tensor], Tensor]


def shortest_paths(
    model: LatentModel,
    a: Tensor,
    b: Tensor,
    steps: int = 16,
    *,
    iterations: int = 100,
    uncertainty: bool = False,
    start: Tensor | None = None,
    condition: Tensor | None = None,
    batch_size: int = 1024,
) -> Geodesics:
    r"""Paths of the least energy under the decoder's metric :math:`J^T J`.

    .. math::
        E = \frac{T - 1}{2} \sum_t |f(z_{t+1}) - f(z_t)|^2

    where f is the mean of p(x|z) in the model's scaled units. Its minimum runs at constant speed
    along a path that is locally the shortest; it begins with the space's own path, which lengthens
    into a detour only where that is shorter in the data. Each path descends along the gradient,
    smoothed over t by the inverse second difference, with a step of its own (Barzilai and Borwein)
    that is halved until the energy falls. A decoder knows nothing of places where no data were:
    with `uncertainty` the scale of p(x|z), where it depends on z, counts as further coordinates of
    f, so that paths keep to where the decoder is sure of itself.

    Args:
        model: Any with a differentiable decoder.
        a: (B, *Z) where paths begin.
        b: (B, *Z) where they end.
        steps: T, both ends counted.
        iterations: I, passes through the decoder and back.
        uncertainty: Whether the scale of p(x|z) counts too.
        start: (B, T, *Z) to begin with in place of the space's own path.
        condition: (B, C), for a conditional model; one for each path.
        batch_size: Codes in one pass.

    Raises:
        DataError: `a`, `b` or `start` do not fit.
        OptionError: Fewer than 2 steps, or fewer than 0 iterations.
        UnsupportedError: The codes are integers.

    Reference:
        Arvanitidis, Hansen & Hauberg, Latent Space Oddity, arXiv 1710.11379; Chen et al., Metrics
        for Deep Generative Models, arXiv 1711.01204.
    """
    space = space_of(model.posterior)
    first, last = ends(model, a, b, steps)
    if iterations < 0:
        raise OptionError(f"The number of iterations is {iterations}; it cannot be negative.")
    if start is not None and start.shape != (len(a), steps, *model.latent_shape):
        raise DataError(
            f"The paths to start with have shape {tuple(start.shape)}; expected "
            f"{(len(a), steps, *model.latent_shape)}."
        )
    t = torch.linspace(0.0, 1.0, steps, dtype=first.dtype, device=first.device)
    whole = space.path(first, last, t) if start is None else start.flatten(2)
    told = for_each(condition, len(first), first.device)
    paths = max(1, batch_size // steps)
    with answering(model):
        found = []
        for rows in torch.arange(len(first), device=first.device).split(paths):
            given = None if told is None else told[rows]
            surface = _surface(model, space, whole[rows], given, uncertainty)
            found.append(_shorten(surface, space, whole[rows], iterations))
    axes = (0, 1, 0, 0)
    parts = [torch.cat(part, dim) for part, dim in zip(zip(*found, strict=True), axes, strict=True)]
    return Geodesics(parts[0].unflatten(-1, model.latent_shape), *parts[1:])


def path_lengths(decoded: Tensor) -> Tensor:
    """The lengths (B,) of broken lines (B, T, m)."""
    return decoded.diff(dim=1).norm(dim=-1).sum(1)


def _surface(
    model: LatentModel,
    space: CodeSpace,
    whole: Tensor,
    condition: Tensor | None,
    uncertainty: bool,
) -> Surface:
    """What inner points in the chart decode to, between both ends of `whole` (B, T, n)."""

    def surface(points: Tensor) -> Tensor:
        codes = torch.cat([whole[:, :1], space.code(points), whole[:, -1:]], 1)
        px = model.generate(codes.transpose(0, 1).unflatten(-1, model.latent_shape), condition)
        seen = [px.mean, px.stddev] if uncertainty else [px.mean]
        return torch.cat([part.flatten(2) for part in seen], -1).transpose(0, 1)

    return surface


def _shorten(
    surface: Surface, space: CodeSpace, whole: Tensor, iterations: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes (B, T, n), energies (I + 1, B), length and first length (B,) of some paths."""
    points = space.chart(whole[:, 1:-1])
    before = path_lengths(surface(points))
    state = _look(surface, points)
    energies = [state.energy]
    if points.shape[1]:
        smooth = _smoother(points)
        # One over the mean squared stretch of the way: the right step for an even stretch.
        step = (whole[:, -1] - whole[:, 0]).square().sum(-1) / (2.0 * state.energy).clamp(min=1e-12)
        for _ in range(iterations):
            state, step = _descend(surface, state, step, smooth)
            energies.append(state.energy)
    else:
        energies += [state.energy] * iterations
    codes = torch.cat([whole[:, :1], space.code(state.points), whole[:, -1:]], 1)
    return codes, torch.stack(energies), path_lengths(surface(state.points)), before


def _look(surface: Surface, points: Tensor) -> _State:
    """The energy (B,) at some points (B, T - 2, n), and its slope there."""
    with torch.enable_grad():
        moving = points.detach().requires_grad_()
        decoded = surface(moving)
        energy = 0.5 * (decoded.shape[1] - 1) * decoded.diff(dim=1).square().sum((1, 2))
        (slope,) = torch.autograd.grad(energy.sum(), moving, allow_unused=True)
    return _State(points, energy.detach(), torch.zeros_like(points) if slope is None else slope)


def _smoother(points: Tensor) -> Tensor:
    """The inverse (T - 2, T - 2) of (T - 1) times the second difference between fixed ends."""
    inner = points.shape[1]
    difference = 2.0 * torch.eye(inner, dtype=torch.float64)
    difference -= torch.diag(torch.ones(inner - 1, dtype=torch.float64), 1)
    difference -= torch.diag(torch.ones(inner - 1, dtype=torch.float64), -1)
    return torch.linalg.inv((inner + 1) * difference).to(points)


def _descend(
    surface: Surface, state: _State, step: Tensor, smooth: Tensor
) -> tuple[_State, Tensor]:
    """One attempt of each path; where the energy falls too little, it stays and halves its step."""
    direction = smooth @ state.slope
    promised = (direction * state.slope).sum((1, 2))
    moved = _look(surface, state.points - step[:, None, None] * direction)
    better = moved.energy <= state.energy - ARMIJO * step * promised
    # Barzilai and Borwein in the smoothed metric: the curvature along the step that was made.
    turned = moved.slope - state.slope
    curved = -(direction * turned).sum((1, 2))
    longer = step * promised / curved.clamp(min=1e-30)
    grown = torch.where(curved > 0, torch.minimum(longer, GROWTH * step), GROWTH * step)
    taken = _State(
        *(
            torch.where(better.reshape(-1, *[1] * (new.dim() - 1)), new, old)
            for new, old in zip(moved, state, strict=True)
        )
    )
    return taken, torch.where(better, grown, 0.5 * step)
