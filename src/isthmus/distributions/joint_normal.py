"""Normals whose elements depend on one another, by a triangular factor or by a few directions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.kl import register_kl

from isthmus.distributions.located import Located
from isthmus.distributions.normal import DiagonalNormal
from isthmus.maths import without_autocast

_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


class JointNormal(Located, ABC):
    """N(loc, C) over vectors, whatever C is made of.

    Args:
        loc: (*B, Z).
        variance: (*B, Z) the diagonal of C.
        half_log_det: (*B) ½ log det C.
    """

    def __init__(self, loc: Tensor, variance: Tensor, half_log_det: Tensor) -> None:
        self._variance = variance
        self._half_log_det = half_log_det
        super().__init__(loc)

    @abstractmethod
    def deviation(self, shape: torch.Size) -> Tensor:
        """Draws from N(0, C), (*shape, *B, Z)."""

    @abstractmethod
    def squared_distance(self, residual: Tensor) -> Tensor:
        """rᵀ C⁻¹ r for r (*B, Z, N), as (*B, N)."""

    @property
    def variance(self) -> Tensor:
        return self._variance

    def entropy(self) -> Tensor:
        return self._half_log_det + (_LOG_ROOT_TAU + 0.5) * self.loc.shape[-1]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        with without_autocast(self.loc):
            return self.loc + self.deviation(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        residual = value - self.loc
        lead = residual.shape[: residual.ndim - self.loc.ndim]
        columns = residual.reshape(-1, *self.loc.shape).movedim(0, -1)
        with without_autocast(self.loc):
            distance = self.squared_distance(columns).movedim(-1, 0)
        distance = distance.reshape(lead + self.batch_shape)
        return -0.5 * distance - self._half_log_det - _LOG_ROOT_TAU * self.loc.shape[-1]


@final
class FullNormal(JointNormal):
    """N(loc, L Lᵀ).

    Args:
        loc: (*B, Z).
        factor: (*B, Z, Z) L, lower triangular with a positive diagonal.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "factor": constraints.lower_cholesky,
    }

    def __init__(self, loc: Tensor, factor: Tensor) -> None:
        self.factor = factor
        log_diagonal = factor.diagonal(dim1=-2, dim2=-1).log()
        super().__init__(loc, factor.square().sum(-1), log_diagonal.sum(-1))

    def deviation(self, shape: torch.Size) -> Tensor:
        noise = torch.randn(shape + self.loc.shape, dtype=self.loc.dtype, device=self.loc.device)
        return torch.einsum("...ij,...j->...i", self.factor, noise)

    def squared_distance(self, residual: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.factor, residual, upper=False).square().sum(-2)


@final
class LowRankNormal(JointNormal):
    """N(loc, W Wᵀ + diag(scale²)).

    Args:
        loc: (*B, Z).
        directions: (*B, Z, R) W.
        scale: (*B, Z), positive.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "directions": constraints.real,
        "scale": constraints.positive,
    }

    def __init__(self, loc: Tensor, directions: Tensor, scale: Tensor) -> None:
        self.directions = directions
        self.scale = scale
        self._whitened = directions / scale.unsqueeze(-1)
        with without_autocast(loc):
            inner = self._whitened.mT @ self._whitened
            identity = torch.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device)
            self._inner_factor = torch.linalg.cholesky(inner + identity)
        half_log_det = self._inner_factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        variance = directions.square().sum(-1) + scale.square()
        super().__init__(loc, variance, half_log_det + scale.log().sum(-1))

    def deviation(self, shape: torch.Size) -> Tensor:
        kind: dict[str, Any] = {"dtype": self.loc.dtype, "device": self.loc.device}
        along = torch.randn(shape + self.batch_shape + self.directions.shape[-1:], **kind)
        own = torch.randn(shape + self.loc.shape, **kind) * self.scale
        return own + torch.einsum("...ij,...j->...i", self.directions, along)

    def squared_distance(self, residual: Tensor) -> Tensor:
        # The Woodbury identity.
        white = residual / self.scale.unsqueeze(-1)
        explained = torch.linalg.solve_triangular(
            self._inner_factor, self._whitened.mT @ white, upper=False
        )
        return white.square().sum(-2) - explained.square().sum(-2)


@register_kl(JointNormal, DiagonalNormal)
def _kl_joint_diagonal(q: JointNormal, p: DiagonalNormal) -> Tensor:
    square = (q.variance + (q.loc - p.loc).square()) / p.variance
    cross = (0.5 * square + p.stddev.log()).sum(-1) + _LOG_ROOT_TAU * q.loc.shape[-1]
    return cross - q.entropy()
