r"""The wrapped normal on the Poincaré ball: a Gaussian of a tangent space, carried along geodesics.

With curvature :math:`-c` the ball has the radius :math:`1/\sqrt c`. Densities are with respect to
the ball's own volume. The edge is exponentially near in coordinates, so the geometry is computed
in double precision.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions.located import Located
from isthmus.errors import OptionError
from isthmus.maths import double_precision

_TINY = 1e-30
# How near a point comes to the edge, as a share of the radius: the least that single precision
# tells from the edge with some digits left.
_EDGE = 1e-6
_SERIES_BELOW = 1e-2


def _norm(v: Tensor) -> Tensor:
    """(..., 1), with a derivative everywhere."""
    return (v.square().sum(-1, keepdim=True) + _TINY).sqrt()


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The ball's addition, which moves the origin to x: (..., Z)."""
    xy = (x * y).sum(-1, keepdim=True)
    xx, yy = x.square().sum(-1, keepdim=True), y.square().sum(-1, keepdim=True)
    top = (1.0 + 2.0 * c * xy + c * yy) * x + (1.0 - c * xx) * y
    return top / (1.0 + 2.0 * c * xy + c * c * xx * yy)


def exp_map(x: Tensor, u: Tensor, c: float) -> Tensor:
    """The point at the end of the geodesic that leaves x (..., Z) in the direction of u.

    Args:
        x: Points of the ball.
        u: Tangents, in coordinates in which their length is the geodesic's.
        c: Minus the curvature.
    """
    length = _norm(u)
    root = math.sqrt(c)
    return mobius_add(x, (0.5 * root * length).tanh() * u / (root * length), c)


def log_map(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The inverse of `exp_map` in its second argument: u with exp_map(x, u) = y."""
    moved = mobius_add(-x, y, c)
    length, root = _norm(moved), math.sqrt(c)
    half = (root * length).clamp(max=1.0 - torch.finfo(length.dtype).eps).atanh()
    return 2.0 / root * half * moved / length


def within_ball(x: Tensor, c: float) -> Tensor:
    """X (..., Z), drawn back from the edge where it lies on it."""
    most = (1.0 - _EDGE) / math.sqrt(c)
    length = _norm(x)
    return x * (most / length).clamp(max=1.0)


def _log_sinh_ratio(r: Tensor) -> Tensor:
    """log(sinh(r) / r) for r >= 0."""
    near = r.square() * (1.0 / 6.0 - r.square() * (1.0 / 180.0 - r.square() / 2835.0))
    safe = r.clamp(min=_SERIES_BELOW)
    far = safe + (-torch.expm1(-2.0 * safe)).log() - (2.0 * safe).log()
    return torch.where(r < _SERIES_BELOW, near, far)


@final
class WrappedNormal(Located):
    r"""z = exp_loc(u), u ~ Normal(0, diag(scale²)), on the Poincaré ball of curvature -c.

    Its density by the ball's volume is that of u times :math:`(\sqrt c r / \sinh \sqrt c r)^{Z-1}`
    at the distance r. `mean` is the intrinsic mean, the centre.

    Args:
        loc: (*batch, Z) points of the ball.
        scale: (*batch, Z) standard deviations along the axes, in units of distance.
        c: Minus the curvature.

    Reference:
        Mathieu et al., Continuous Hierarchical Representations with Poincaré Variational
        Auto-Encoders, arXiv 1901.06033.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, loc: Tensor, scale: Tensor, c: float = 1.0) -> None:
        self.scale = scale
        self.c = c
        super().__init__(loc)

    def expand(self, batch_shape: Any, _instance: Any = None) -> WrappedNormal:
        """The same with its batch expanded to `batch_shape`; nothing is copied."""
        new = copy(self)
        new._batch_shape = torch.Size(batch_shape)
        shape = new._batch_shape + self._event_shape
        new.loc, new.scale = self.loc.expand(shape), self.scale.expand(shape)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        u = log_map(double_precision(self.loc), double_precision(value), self.c)
        scale = double_precision(self.scale)
        width = self._event_shape[0]
        flat = -0.5 * (u / scale).square().sum(-1) - scale.log().sum(-1)
        stretch = _log_sinh_ratio(math.sqrt(self.c) * _norm(u)[..., 0])
        found = flat - 0.5 * width * math.log(2.0 * math.pi) - (width - 1) * stretch
        return found.to(self.loc.dtype)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        loc, scale = double_precision(self.loc), double_precision(self.scale)
        shape = torch.Size(sample_shape) + self._batch_shape + self._event_shape
        noise = torch.randn(shape, dtype=loc.dtype, device=loc.device)
        drawn = exp_map(loc, noise * scale, self.c)
        return within_ball(drawn, self.c).to(self.loc.dtype)


def ball(c: float) -> str:
    """The name of the space of a ball of curvature -c, by which posterior and prior agree.

    Raises:
        OptionError: The curvature does not make a ball.
    """
    if not c > 0.0:
        raise OptionError(f"A Poincaré ball needs a positive curvature, got {c:g}: use 1.0.")
    return "ball" if c == 1.0 else f"ball of curvature {c:g}"
