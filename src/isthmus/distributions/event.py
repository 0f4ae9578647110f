"""The bookkeeping that the lean distributions share: batch and event shapes, sums, expansion.

`Independent(Normal(...))` takes several times as long as the formula that it stands for (a scale
that is one number is squared, inverted and logged once per data element), so the densities of the
hot path are written here without argument checks. Each is a `torch.distributions.Distribution`
whose last axes are the event.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution


class EventDistribution(Distribution, ABC):
    """A distribution over events whose elements are independent given the parameters.

    `arg_constraints` names the parameters: the first has the full shape, the others may be shared
    by the batch.

    Args:
        shape: Batch and event shape together.
        event_dims: How many of the last axes are the event.
    """

    _class_axes: ClassVar[int] = 0  # axes of a parameter between batch and event

    def __init__(self, shape: torch.Size, event_dims: int) -> None:
        split = len(shape) - event_dims
        self._event_axes = tuple(range(-event_dims, 0))
        super().__init__(shape[:split], shape[split:], validate_args=False)

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """The log density of `value` in nats, of the shape of the batch."""

    @property
    def event_dims(self) -> int:
        """How many of the last axes are the event."""
        return len(self._event_axes)

    @property
    def shape(self) -> torch.Size:
        """Batch and event shape together."""
        return self._batch_shape + self._event_shape

    def elementwise(self) -> EventDistribution:
        """The same with every element an event of its own: its KL is the KL by element."""
        new = copy(self)
        new._batch_shape, new._event_shape, new._event_axes = self.shape, torch.Size(), ()
        return new

    def expand(self, batch_shape: Any, _instance: Any = None) -> EventDistribution:
        """The same with its batch expanded to `batch_shape`; nothing is copied."""
        new = copy(self)
        new._batch_shape = torch.Size(batch_shape)
        for place, name in enumerate(self.arg_constraints):
            parameter = getattr(self, name)
            if place == 0 or parameter.ndim > self.event_dims:
                setattr(new, name, self._expanded(parameter, new._batch_shape))
        return new

    def _expanded(self, parameter: Tensor, batch: torch.Size) -> Tensor:
        return parameter.expand(batch + parameter.shape[parameter.ndim - self._own_axes :])

    @property
    def _own_axes(self) -> int:
        return self.event_dims + self._class_axes

    def _sum(self, values: Tensor) -> Tensor:
        return values.sum(self._event_axes) if self._event_axes else values

    def _sum_shared(self, values: Tensor) -> Tensor:
        """`_sum` of a tensor whose event axes may be missing or of length 1; it is not expanded."""
        present = min(values.ndim, self.event_dims)
        axes = tuple(range(-present, 0))
        repeats = self._event_shape.numel() / values.shape[values.ndim - present :].numel()
        total = values.sum(axes) if present else values
        return total if repeats == 1 else total * repeats
