"""The diagonal Laplace: absolute rather than squared error."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from isthmus.distributions.location_scale import LocationScale
from isthmus.distributions.normal import DiagonalNormal

_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


@final
class DiagonalLaplace(LocationScale):
    """Independent Laplace elements, exp(-|x - loc| / scale) / (2 scale).

    Args:
        loc: Batch and event shape.
        scale: Mean absolute deviations: the same shape, or any that broadcasts to it.
        event_dims: How many of the last axes are the event.
    """

    @property
    def variance(self) -> Tensor:
        return 2.0 * self.scale.square().expand_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        deviation = (value - self.loc).abs()
        if self.scale.ndim == 0:
            total = self._sum(deviation) / self.scale
        else:
            total = self._sum(deviation / self.scale)
        return -total - self._log_volume(math.log(2.0))

    def entropy(self) -> Tensor:
        return self._log_volume(math.log(2.0) + 1.0).expand(self._batch_shape)

    def _log_volume(self, per_element: float) -> Tensor:
        return self._sum_shared(self.scale.log()) + per_element * self._event_shape.numel()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self.shape
        size = torch.empty(shape, dtype=self.loc.dtype, device=self.loc.device).exponential_()
        sign = 2.0 * torch.empty_like(size).bernoulli_(0.5) - 1.0
        return torch.addcmul(self.loc, sign * size, self.scale)


@register_kl(DiagonalLaplace, DiagonalLaplace)
def _kl_laplace_laplace(q: DiagonalLaplace, p: DiagonalLaplace) -> Tensor:
    ratio = q.scale / p.scale
    distance = (q.loc - p.loc).abs()
    beyond = ratio * (-distance / q.scale).exp()
    return q._sum(distance / p.scale + beyond - ratio.log() - 1.0)


@register_kl(DiagonalLaplace, DiagonalNormal)
def _kl_laplace_normal(q: DiagonalLaplace, p: DiagonalNormal) -> Tensor:
    square = (q.variance + (q.loc - p.loc).square()) / p.scale.square()
    return q._sum(0.5 * square + p.scale.log() + _LOG_ROOT_TAU) - q.entropy()
