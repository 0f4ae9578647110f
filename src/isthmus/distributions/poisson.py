"""Independent Poisson elements from log-rates, for counts."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution


@final
class Poisson(EventDistribution):
    """Independent counts with mean exp(log_rate).

    Args:
        log_rate: Batch and event shape.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"log_rate": constraints.real}

    def __init__(self, log_rate: Tensor, event_dims: int = 1) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def mode(self) -> Tensor:
        return self.mean.floor()

    @property
    def variance(self) -> Tensor:
        return self.mean

    def log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.log_rate.dtype)
        return self._sum(value * self.log_rate - self.log_rate.exp()) - self._sum(
            (value + 1.0).lgamma()
        )

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return torch.poisson(self.mean.expand(torch.Size(sample_shape) + self.shape))
