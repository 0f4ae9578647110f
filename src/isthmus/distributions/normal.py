"""The diagonal normal, the density of most codes and of real data, and its closed-form KL."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from isthmus.distributions.location_scale import LocationScale
from isthmus.maths import gaussian_kl, gaussian_kl_standard

_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


@final
class DiagonalNormal(LocationScale):
    """Independent normal elements, N(loc, scale^2).

    Args:
        loc: Batch and event shape.
        scale: Standard deviations: the same shape, or any that broadcasts to it; one number is
            cheapest.
        event_dims: How many of the last axes are the event.
        is_standard: Whether `loc` is 0 and `scale` 1 throughout; KLs from it are then cheaper.
    """

    def __init__(
        self, loc: Tensor, scale: Tensor, event_dims: int = 1, is_standard: bool = False
    ) -> None:
        self.is_standard = is_standard
        super().__init__(loc, scale, event_dims)

    @property
    def stddev(self) -> Tensor:
        return self.scale.expand_as(self.loc)

    @property
    def variance(self) -> Tensor:
        return self.stddev.square()

    def log_prob(self, value: Tensor) -> Tensor:
        residual = value - self.loc
        if self.scale.ndim == 0:
            quadratic = self._sum(residual.square()) / self.scale.square()
        else:
            quadratic = self._sum((residual / self.scale).square())
        return -0.5 * quadratic - self._log_volume(_LOG_ROOT_TAU)

    def entropy(self) -> Tensor:
        return self._log_volume(_LOG_ROOT_TAU + 0.5).expand(self._batch_shape)

    def _log_volume(self, per_element: float) -> Tensor:
        return self._sum_shared(self.scale.log()) + per_element * self._event_shape.numel()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return torch.addcmul(self.loc, noise, self.scale)


@register_kl(DiagonalNormal, DiagonalNormal)
def _kl_normal_normal(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    if p.is_standard:
        per_dimension = gaussian_kl_standard(q.loc, q.scale)
    else:
        per_dimension = gaussian_kl(q.loc, q.scale, p.loc, p.scale)
    return q._sum(per_dimension)
