"""What densities that are symmetric about a location share."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution


class LocationScale(EventDistribution, ABC):
    """Independent elements, each symmetric about `loc` with one peak there.

    Args:
        loc: Batch and event shape; the mean and the mode.
        scale: Positive, the same shape or any that broadcasts to it; one number is cheapest.
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
