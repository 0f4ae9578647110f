"""Where codes live, as far as moving about in them goes: charts, and shortest paths between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast, final

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.distributions.wrapped_normal import exp_map, log_map, within_ball
from isthmus.errors import UnsupportedError
from isthmus.maths import double_precision
from isthmus.posteriors import Posterior
from isthmus.registry import Registry

SPACES = Registry("space of codes")
# A sine below this leaves no digits of a direction in single precision.
_TINY = 1e-6


class CodeSpace(ABC):
    """A space of codes, each flattened to a vector of n numbers.

    Attributes:
        free: How many of a code's leading numbers may be moved; None for all.
    """

    free: int | None = None

    @abstractmethod
    def chart(self, z: Tensor) -> Tensor:
        """Codes (..., n) -> vectors (..., n) that can be averaged, added and scaled."""

    @abstractmethod
    def code(self, v: Tensor) -> Tensor:
        """Vectors (..., n) -> codes (..., n): the inverse of `chart`, and a code for any vector."""

    @abstractmethod
    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """The space's own shortest paths.

        Args:
            a: (B, n) where they begin.
            b: (B, n) where they end.
            t: (T,) from 0 to 1.

        Returns:
            (B, T, n), at constant speed.
        """

    @final
    def move(self, z: Tensor, vector: Tensor) -> Tensor:
        """Codes (..., n) moved by a vector that broadcasts with them."""
        if self.free is not None:
            vector = vector * (torch.arange(vector.shape[-1], device=vector.device) < self.free)
        return self.code(self.chart(z) + vector)


@final
class Flat(CodeSpace):
    """R^n, or a part of it that is convex: lines are the shortest paths."""

    def __init__(self, free: int | None = None) -> None:
        self.free = free

    def chart(self, z: Tensor) -> Tensor:
        return z

    def code(self, v: Tensor) -> Tensor:
        return v

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return linear(a, b, t)


@final
class Sphere(CodeSpace):
    """The unit sphere: a moved code falls back on it along its radius."""

    def chart(self, z: Tensor) -> Tensor:
        return z

    def code(self, v: Tensor) -> Tensor:
        return F.normalize(v, dim=-1)

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return F.normalize(spherical(a, b, t), dim=-1)


@final
class Ball(CodeSpace):
    """The Poincaré ball: sums are taken in the tangent space of its centre.

    Its edge is exponentially near in coordinates, so paths are found in double precision.

    Args:
        curvature: Minus the sectional curvature.
    """

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def chart(self, z: Tensor) -> Tensor:
        wide = double_precision(z)
        return log_map(torch.zeros_like(wide), wide, self.curvature).to(z)

    def code(self, v: Tensor) -> Tensor:
        wide = double_precision(v)
        found = exp_map(torch.zeros_like(wide), wide, self.curvature)
        return within_ball(found, self.curvature).to(v)

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        start, end = (double_precision(z).unsqueeze(1) for z in (a, b))
        tangent = log_map(start, end, self.curvature)
        found = exp_map(start, double_precision(t)[:, None] * tangent, self.curvature)
        return within_ball(found, self.curvature).to(a)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Hyperbolic distances (...) between codes (..., n) that broadcast."""
        tangent = log_map(double_precision(a), double_precision(b), self.curvature)
        return tangent.norm(dim=-1).to(a)


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The straight line (1 - t) a + t b.

    Args:
        a: (B, n).
        b: (B, n).
        t: (T,).

    Returns:
        (B, T, n).
    """
    return torch.lerp(a.unsqueeze(1), b.unsqueeze(1), t[:, None])


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    r"""Along the great circle of two directions, the length going evenly from one to the other.

    .. math::
        z_t = \frac{(1 - t)|a| + t|b|}{\sin\omega}
              \big(\sin((1 - t)\omega) \hat a + \sin(t\omega) \hat b\big),
        \quad \omega = \arccos \hat a \cdot \hat b

    Of opposite directions, which every great circle joins, it takes one that leaves `a` towards
    the axis that `a` has least of.

    Args:
        a: (B, n), n at least 2.
        b: (B, n).
        t: (T,).

    Returns:
        (B, T, n).

    Reference:
        Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985; for Gaussian codes
        White, Sampling Generative Networks, arXiv 1609.04468.
    """
    lengths = linear(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t)
    first, last = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    # The origin has no direction: the way from it or to it is straight.
    first, last = (
        torch.where((here == 0).all(-1, keepdim=True), there, here)
        for here, there in ((first, last), (last, first))
    )
    cosine = (first * last).sum(-1, keepdim=True)
    across = last - cosine * first
    sine = across.norm(dim=-1, keepdim=True)
    spare = F.one_hot(a.abs().argmin(-1), a.shape[-1]).to(a)
    spare = F.normalize(spare - (spare * first).sum(-1, keepdim=True) * first, dim=-1)
    # The arc from both, for an arc cosine loses half of the digits near 0 and pi.
    angle = (t * torch.atan2(sine, cosine)).unsqueeze(-1)
    aside = torch.where(sine > _TINY, across / sine.clamp(min=_TINY), spare)
    # Two codes of one direction have no way to turn.
    turn = angle.sin() * aside.unsqueeze(1)
    on_circle = angle.cos() * first.unsqueeze(1) + turn
    return lengths * on_circle


@SPACES.register("real")
@SPACES.register("ladder")
def _flat(posterior: Posterior) -> CodeSpace:
    return Flat()


@SPACES.register("sphere")
def _sphere(posterior: Posterior) -> CodeSpace:
    return Sphere()


@SPACES.register("ball")
def _ball(posterior: Posterior) -> CodeSpace:
    return Ball(cast(float, posterior.curvature))


@SPACES.register("simplex")
def _simplex(posterior: Posterior) -> CodeSpace:
    return Flat(free=0)


@SPACES.register("joint")
def _joint(posterior: Posterior) -> CodeSpace:
    # The space is called "joint of N x K": N choices of K stand behind the continuous part.
    choices, categories = (int(word) for word in posterior.space.split()[2::2])
    return Flat(free=posterior.latent_shape[0] - choices * categories)


def space_of(posterior: Posterior, moving: bool = False) -> CodeSpace:
    """The space of a posterior's codes.

    Args:
        posterior: Of a model.
        moving: Whether single numbers of a code are to be moved: in categories there are none.

    Raises:
        UnsupportedError: Its codes are integers, or are to be moved and are categories.
    """
    kind = posterior.space.split(maxsplit=1)[0]
    if kind not in SPACES:
        raise UnsupportedError(
            f"The codes of {type(posterior).__name__} are integers, and between two of them there "
            "is none: use a recipe with continuous codes, such as vae; the integers themselves are "
            "`encode(x, 'argmax')`."
        )
    space: CodeSpace = SPACES[kind].factory(posterior)
    if moving and space.free == 0:
        raise UnsupportedError(
            f"The codes of {type(posterior).__name__} are categories alone and have no number to "
            "move: interpolate between two of them, or use a recipe such as joint-vae or vae."
        )
    return space
