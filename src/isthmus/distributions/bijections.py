"""Bijections with parameters that an encoder can give: affine, planar, radial, Sylvester.

All read parameters (B, ...) against values (*lead, B, Z).
"""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.distributions.pushforward import Bijection
from isthmus.maths import softplus_inverse

_TINY = 1e-12
_SOFTPLUS_IS_ONE = softplus_inverse(1.0)
# Halvings beyond those that a number of its type can tell apart.
_SPARE = 2


def solve_monotone(y: Tensor, gain: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
    """The root x of x + gain · tanh(slope · x + shift) = y, where gain · slope > −1.

    Found by bisection, as tanh keeps it within |gain| of y, and ended by one step of Newton's,
    through which gradients pass: they are those of the implicit function.

    Args:
        y: Any shape; the others broadcast to it.
        gain: The perturbation's size.
        slope: Of tanh's argument.
        shift: Of tanh's argument.
    """
    with torch.no_grad():
        low, high = y - gain.abs(), y + gain.abs()
        halvings = _SPARE - round(math.log2(torch.finfo(y.dtype).eps))
        for _ in range(halvings):
            middle = 0.5 * (low + high)
            above = middle + gain * (slope * middle + shift).tanh() > y
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        root = 0.5 * (low + high)
    bent = (slope * root + shift).tanh()
    steepness = (1.0 + gain * slope * (1.0 - bent.square())).detach()
    return root - (root + gain * bent - y) / steepness.clamp(min=_TINY)


@final
class Affine(Bijection):
    """z = loc + scale · e, element by element.

    Args:
        loc: (B, Z).
        scale: (B, Z), positive.
    """

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        return torch.addcmul(self.loc, self.scale, e), self.scale.log().sum(-1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return (z - self.loc) / self.scale, self.scale.log().sum(-1)


@final
class Planar(Bijection):
    """z = e + û tanh(w · e + b), with û moved along w until w · û > −1, so that it is one-to-one.

    The paper's m(x) = −1 + log(1 + exp(x)) is shifted here so that m(0) = 0.

    Args:
        u: (B, Z) before the constraint.
        w: (B, Z).
        b: (B,).

    Reference:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, arXiv 1505.05770, A.1.
    """

    def __init__(self, u: Tensor, w: Tensor, b: Tensor) -> None:
        along = (w * u).sum(-1)
        self.w, self.b = w, b
        # Shifted so that it is 0 at 0: a small w would otherwise make û large.
        self.along = F.softplus(along + _SOFTPLUS_IS_ONE) - 1.0
        self.u = u + ((self.along - along) / (w.square().sum(-1) + _TINY)).unsqueeze(-1) * w

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        bent = ((self.w * e).sum(-1) + self.b).tanh()
        return e + self.u * bent.unsqueeze(-1), self._log_det(bent)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        onto = (self.w * z).sum(-1)
        root = solve_monotone(onto, self.along, torch.ones_like(self.b), self.b)
        bent = (root + self.b).tanh()
        return z - self.u * bent.unsqueeze(-1), self._log_det(bent)

    def _log_det(self, bent: Tensor) -> Tensor:
        return torch.log1p(self.along * (1.0 - bent.square()))


@final
class Radial(Bijection):
    """z = e + beta (e − centre) / (alpha + |e − centre|), with beta > −alpha.

    Args:
        centre: (B, Z).
        alpha: (B,) before it is made positive.
        beta: (B,) before the constraint.

    Reference:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, arXiv 1505.05770, A.2.
    """

    def __init__(self, centre: Tensor, alpha: Tensor, beta: Tensor) -> None:
        self.centre = centre
        self.alpha = F.softplus(alpha)
        self.beta = F.softplus(beta) - self.alpha

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        offset = e - self.centre
        reach = self.alpha + _length(offset)
        pull = self.beta / reach
        return e + pull.unsqueeze(-1) * offset, self._log_det(pull, reach, offset.shape[-1])

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        offset = z - self.centre
        length = _length(offset)
        # length = r + beta r / (alpha + r) is a quadratic in r.
        half = 0.5 * (length - self.alpha - self.beta)
        r = half + (half.square() + self.alpha * length).sqrt()
        reach = self.alpha + r
        pull = self.beta / reach
        e = self.centre + offset / (1.0 + pull).unsqueeze(-1)
        return e, self._log_det(pull, reach, offset.shape[-1])

    def _log_det(self, pull: Tensor, reach: Tensor, dimensions: int) -> Tensor:
        # Along the ray 1 + pull − (reach − alpha) pull / reach, across it 1 + pull.
        along = self.alpha * pull / reach
        return (dimensions - 1) * torch.log1p(pull) + torch.log1p(along)


@final
class Sylvester(Bijection):
    """z = e + Q R tanh(R̃ Qᵀ e + b): Q has orthonormal columns, R and R̃ are upper triangular.

    Q is the first M columns of a product of Householder reflections. The diagonals pass through
    tanh, so that their products stay above −1.

    Args:
        normals: (B, n, Z) the reflections' normals, of any length.
        left: (B, M, M) R, of which the upper triangle is read.
        right: (B, M, M) R̃, likewise.
        b: (B, M).

    Reference:
        van den Berg et al., Sylvester Normalizing Flows for Variational Inference, arXiv
        1803.05649.
    """

    def __init__(self, normals: Tensor, left: Tensor, right: Tensor, b: Tensor) -> None:
        length = normals.square().sum(-1, keepdim=True).add(_TINY).sqrt()
        self.normals = (normals / length).unbind(-2)
        self.left, self.right = _bounded_diagonal(left), _bounded_diagonal(right)
        self.b = b
        self.columns = b.shape[-1]
        products = self.left.diagonal(dim1=-2, dim2=-1) * self.right.diagonal(dim1=-2, dim2=-1)
        self.products = products

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        bent = (_times(self.right, self._down(e)) + self.b).tanh()
        return e + self._up(_times(self.left, bent)), self._log_det(bent)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        target = self._down(z)
        lead = torch.broadcast_shapes(target.shape[:-1], self.b.shape[:-1])
        solved: list[Tensor] = []  # from the last coordinate up
        bents: list[Tensor] = []
        for i in reversed(range(self.columns)):
            y, shift = target[..., i], self.b[..., i].expand(lead)
            for step, j in enumerate(reversed(range(i + 1, self.columns))):
                y = y - self.left[..., i, j] * bents[step]
                shift = shift + self.right[..., i, j] * solved[step]
            gain, slope = self.left[..., i, i], self.right[..., i, i]
            solved.append(solve_monotone(y.expand(lead), gain, slope, shift))
            bents.append((slope * solved[-1] + shift).tanh())
        bent = torch.stack(bents[::-1], -1)
        return z - self._up(_times(self.left, bent)), self._log_det(bent)

    def _log_det(self, bent: Tensor) -> Tensor:
        return torch.log1p(self.products * (1.0 - bent.square())).sum(-1)

    def _down(self, e: Tensor) -> Tensor:
        """Qᵀ e."""
        for normal in self.normals:
            e = _reflected(e, normal)
        return e[..., : self.columns]

    def _up(self, v: Tensor) -> Tensor:
        """Q v."""
        v = F.pad(v, (0, self.normals[0].shape[-1] - self.columns))
        for normal in reversed(self.normals):
            v = _reflected(v, normal)
        return v


def _length(offset: Tensor) -> Tensor:
    return offset.square().sum(-1).add(_TINY).sqrt()


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.einsum("...ij,...j->...i", matrix, vector)


def _reflected(vector: Tensor, normal: Tensor) -> Tensor:
    return vector - 2.0 * (vector * normal).sum(-1, keepdim=True) * normal


def _bounded_diagonal(matrix: Tensor) -> Tensor:
    diagonal = matrix.diagonal(dim1=-2, dim2=-1).tanh()
    return matrix.triu(1) + torch.diag_embed(diagonal)
