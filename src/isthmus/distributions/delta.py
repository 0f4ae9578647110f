"""The point mass: what a deterministic encoder says of its code."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution
from isthmus.errors import UnsupportedError


@final
class Delta(EventDistribution):
    """All mass on one value; it has no density with respect to Lebesgue measure.

    Args:
        value: Batch and event shape.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"value": constraints.real}
    has_rsample = True

    def __init__(self, value: Tensor, event_dims: int = 1) -> None:
        self.value = value
        super().__init__(value.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def mode(self) -> Tensor:
        return self.value

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.value)

    def log_prob(self, value: Tensor) -> Tensor:
        raise UnsupportedError(
            "A point mass (a deterministic code) has no density, so no log_prob and no rate; "
            "use a model whose posterior has a density, such as the recipe 'vae'."
        )

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(torch.Size(sample_shape) + self.shape)
