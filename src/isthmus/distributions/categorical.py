"""Independent categorical elements, for data that are class indices."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution
from isthmus.errors import UnsupportedError

_NO_MOMENTS = "Class indices have no mean or variance; use .mode, the likeliest class, or .probs."


@final
class Categorical(EventDistribution):
    """Independent elements that are class k with probability softmax(logits)_k.

    Values are indices 0 .. K - 1 as floats or integers; samples and the mode are of the logits'
    type, as data are. The mean and the variance of an index mean nothing and raise
    `UnsupportedError`.

    Args:
        logits: (*batch, K, *event).
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}
    _class_axes: ClassVar[int] = 1

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits = logits
        self._class_axis = -event_dims - 1
        shape = list(logits.shape)
        del shape[self._class_axis]
        super().__init__(torch.Size(shape), event_dims)

    @property
    def probs(self) -> Tensor:
        """(*batch, K, *event)."""
        return self.logits.softmax(self._class_axis)

    @property
    def mean(self) -> Tensor:
        raise UnsupportedError(_NO_MOMENTS)

    @property
    def variance(self) -> Tensor:
        raise UnsupportedError(_NO_MOMENTS)

    @property
    def mode(self) -> Tensor:
        return self.logits.argmax(self._class_axis).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(value.shape, self.shape)
        index = value.long().expand(shape).unsqueeze(self._class_axis)
        chosen = self._expanded(self.logits, shape[: len(shape) - self.event_dims]).gather(
            self._class_axis, index
        )
        return self._sum(chosen.squeeze(self._class_axis) - self.logits.logsumexp(self._class_axis))

    def entropy(self) -> Tensor:
        log_probs = self.logits.log_softmax(self._class_axis)
        return -self._sum((log_probs.exp() * log_probs).sum(self._class_axis))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """The winner of an exponential race, whose rates are the probabilities."""
        with torch.no_grad():
            logits = self.logits.expand(torch.Size(sample_shape) + self.logits.shape)
            arrival = torch.empty_like(logits, memory_format=torch.contiguous_format).exponential_()
            return (logits - arrival.log()).argmax(self._class_axis).to(logits.dtype)
