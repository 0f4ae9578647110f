r"""The von Mises–Fisher distribution on the sphere, and the uniform one that it is held against.

Draws follow Wood's rejection scheme. Their derivative with respect to the concentration is the
exact one: at a fixed value u of the distribution function F of the angle, :math:`d\theta/d\kappa =
-\partial_\kappa F / F'`, whose numerator is a short one-signed integral. It holds in any
dimension and needs no correction of the objective for what the rejection depends on.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Any, ClassVar, cast, final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Beta, Distribution
from torch.distributions.kl import register_kl

from isthmus.distributions.bessel import bessel_ratio, log_scaled_bessel
from isthmus.distributions.located import Located
from isthmus.maths import double_precision

# The nodes of the integral for the angle's derivative, and how many of the angle's widths it spans.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_WIDTHS = 12.0
# Draws that each round of the rejection makes; two in three at least are accepted.
_TRIES = 4


def log_sphere_area(dimension: int) -> float:
    """The log area of the unit sphere in R^dimension."""
    return math.log(2.0) + 0.5 * dimension * math.log(math.pi) - math.lgamma(0.5 * dimension)


def _angle_slope(angle: Tensor, kappa: Tensor, dimension: int) -> Tensor:
    r"""dθ/dκ at a fixed quantile, for the angle's density ∝ sin(θ)^(d-2) exp(κ cos θ).

    The integral of (cos φ - A) over the nearer tail: beyond the mean it is negative throughout, so
    nothing cancels.
    """
    mean = bessel_ratio(0.5 * dimension - 1.0, kappa)
    # The curvature of the log density at its peak, whose cosine is kappa over the first half of it.
    steep = 0.5 * (dimension - 2.0 + torch.hypot(2.0 * kappa, kappa.new_full((), dimension - 2.0)))
    span = _WIDTHS / (steep + kappa.square() / steep).sqrt()
    cosine = angle.cos()
    left = cosine > mean
    length = torch.where(left, -torch.minimum(angle, span), torch.minimum(math.pi - angle, span))
    start = angle.unsqueeze(-1)
    nodes = torch.as_tensor(_NODES).to(angle)
    weights = torch.as_tensor(_WEIGHTS).to(angle)
    phi = start + 0.5 * length.unsqueeze(-1) * (nodes + 1.0)
    # cos φ - cos θ without the cancellation.
    rise = -2.0 * (0.5 * (phi + start)).sin() * (0.5 * (phi - start)).sin()
    log_density = kappa.unsqueeze(-1) * rise
    if dimension > 2:
        log_density = log_density + (dimension - 2.0) * (
            phi.sin().abs().log() - start.sin().abs().log()
        )
    excess = rise + (cosine - mean).unsqueeze(-1)
    integral = 0.5 * length * (weights * excess * log_density.exp()).sum(-1)
    return torch.where(angle.sin() > 0, integral, torch.zeros_like(integral))


class _Angle(torch.autograd.Function):
    """A drawn angle, which moves with the concentration along its quantile."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, angle: Tensor, dimension: int) -> Tensor:
        ctx.dimension = dimension
        ctx.save_for_backward(kappa, angle)
        return angle

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        kappa, angle = ctx.saved_tensors
        return grads[0] * _angle_slope(angle, kappa, ctx.dimension), None, None


@torch.no_grad()
def _draw_angle(kappa: Tensor, dimension: int) -> Tensor:
    """Angles from the mean direction, one for each kappa (N,), in its precision.

    Reference:
        Wood, Simulation of the von Mises Fisher distribution, 1994.
    """
    d = dimension - 1.0
    b = d / (2.0 * kappa + torch.hypot(2.0 * kappa, kappa.new_full((), d)))
    centre = (1.0 - b) / (1.0 + b)
    level = kappa * centre + d * torch.log(4.0 * b / (1.0 + b).square())
    half = torch.full((), 0.5 * d, dtype=kappa.dtype, device=kappa.device)
    # What is no number is never accepted.
    found = torch.full_like(kappa, torch.nan)
    left = kappa.isfinite().nonzero()[:, 0]
    while len(left):
        beta = Beta(half, half, validate_args=False).sample((_TRIES, len(left)))
        k, c, shape = kappa[left], centre[left], b[left]
        # 1 - cos θ and 1 + cos θ, each without cancellation.
        scale = 1.0 - (1.0 - shape) * beta
        below, above = 2.0 * shape * beta / scale, 2.0 * (1.0 - beta) / scale
        cosine = 1.0 - below
        accepted = (
            k * cosine + d * torch.log1p(-c * cosine) - level[left] >= torch.rand_like(beta).log()
        )
        first = accepted.to(torch.uint8).argmax(0, keepdim=True)
        angle = 2.0 * torch.atan2(below.sqrt(), above.sqrt())
        found[left] = angle.gather(0, first)[0]
        left = left[~accepted.any(0)]
    return found


@final
class VonMisesFisher(Located):
    """p(x) ∝ exp(kappa loc·x) on the unit sphere, with respect to its area.

    `mean` is the intrinsic mean, a point of the sphere: the mean direction.

    Args:
        loc: (*batch, d) unit vectors.
        kappa: (*batch,) positive concentrations.

    Reference:
        Davidson et al., Hyperspherical Variational Auto-Encoders, arXiv 1804.00891.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, loc: Tensor, kappa: Tensor) -> None:
        self.kappa = kappa
        super().__init__(loc)

    @property
    def dimension(self) -> int:
        """d, of the space around the sphere."""
        return self.loc.shape[-1]

    @property
    def mean_resultant_length(self) -> Tensor:
        """The length of the average of draws, within (0, 1)."""
        return bessel_ratio(0.5 * self.dimension - 1.0, self.kappa)

    @property
    def variance(self) -> Tensor:
        """Of each coordinate around its Euclidean mean."""
        kappa = double_precision(self.kappa)
        length = bessel_ratio(0.5 * self.dimension - 1.0, kappa)
        across = length / kappa
        along = 1.0 - length.square() - (self.dimension - 1.0) * across
        share = self.loc.square()
        return (
            across.to(share).unsqueeze(-1) * (1.0 - share) + along.to(share).unsqueeze(-1) * share
        )

    @property
    def _log_scale(self) -> Tensor:
        """Log of the density at the mode."""
        half = 0.5 * self.dimension
        return -half * math.log(2.0 * math.pi) - log_scaled_bessel(half - 1.0, self.kappa)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMisesFisher:
        """The same with its batch expanded to `batch_shape`; nothing is copied."""
        new = copy(self)
        new._batch_shape = torch.Size(batch_shape)
        new.loc = self.loc.expand(*new._batch_shape, self.dimension)
        new.kappa = self.kappa.expand(new._batch_shape)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        # loc·x - 1 = -|loc - x|² / 2, without the cancellation.
        return self._log_scale - 0.5 * self.kappa * (value - self.loc).square().sum(-1)

    def entropy(self) -> Tensor:
        return -self._log_scale + self.kappa * (1.0 - self.mean_resultant_length)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self._batch_shape
        kappa = double_precision(self.kappa).expand(shape).reshape(-1)
        angle = cast(
            Tensor, _Angle.apply(kappa, _draw_angle(kappa.detach(), self.dimension), self.dimension)
        )
        angle = angle.view(shape).unsqueeze(-1)
        normal = torch.randn(*shape, self.dimension - 1, dtype=angle.dtype, device=angle.device)
        across = normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
        drawn = torch.cat([angle.cos(), angle.sin() * across], -1).to(self.loc.dtype)
        return _turned(drawn, self.loc)


def _turned(drawn: Tensor, loc: Tensor) -> Tensor:
    """What is drawn around the first axis, around `loc`, by a reflection.

    The axis or its opposite is reflected, whichever is farther: the map is smooth at every `loc`.
    """
    sign = 1.0 - 2.0 * (loc[..., :1] > 0).to(loc.dtype)
    axis = torch.zeros_like(loc)
    axis[..., 0] = 1.0
    normal = axis - sign * loc
    share = (drawn * normal).sum(-1, keepdim=True) / normal.square().sum(-1, keepdim=True)
    return sign * (drawn - 2.0 * share * normal)


@final
class SphereUniform(Distribution):
    """The uniform distribution on the unit sphere.

    Args:
        like: (d,), whose type and device the draws have.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.log_area = log_sphere_area(like.shape[-1])
        super().__init__(torch.Size(), like.shape[-1:], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.full_like(value[..., 0], -self.log_area)

    def entropy(self) -> Tensor:
        return self.like.new_full((), self.log_area)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self._event_shape
        normal = torch.randn(shape, dtype=self.like.dtype, device=self.like.device)
        return normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)


@register_kl(VonMisesFisher, SphereUniform)
def _kl_von_mises_fisher_uniform(q: VonMisesFisher, p: SphereUniform) -> Tensor:
    return p.log_area - q.entropy()
