"""The diagonal Laplace: absolute rather than squared error."""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution


@final
class DiagonalLaplace(EventDistribution):
    """Independent Laplace elements, exp(-|x - loc| / scale) / (2 scale).

    Args:
        loc: Batch and event shape.
        scale: Mean absolute deviations: the same shape, or any that broadcasts to it.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    has_rsample = True

    def __init__(self, loc: Tensor, scale: Tensor, event_dims: int = 1) -> None:
        self.loc = loc
        self.scale = scale
        super().__init__(loc.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

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
