"""Independent Bernoulli elements from logits, for binary data."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution


@final
class Bernoulli(EventDistribution):
    """Independent elements that are 1 with probability sigmoid(logits).

    Args:
        logits: Batch and event shape.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits = logits
        super().__init__(logits.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.logits.sigmoid()

    @property
    def mode(self) -> Tensor:
        """0 or 1, and 1 where both are as likely."""
        return (self.logits >= 0).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        return self.logits.sigmoid() * (-self.logits).sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        value, logits = value.to(self.logits.dtype), self.logits
        if logits.shape[-value.ndim :] == value.shape:
            value = value.expand_as(logits)
        else:
            logits, value = torch.broadcast_tensors(logits, value)
        return -self._sum(F.binary_cross_entropy_with_logits(logits, value, reduction="none"))

    def entropy(self) -> Tensor:
        mean = self.mean
        return self._sum(F.binary_cross_entropy_with_logits(self.logits, mean, reduction="none"))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return torch.bernoulli(self.mean.expand(torch.Size(sample_shape) + self.shape))
