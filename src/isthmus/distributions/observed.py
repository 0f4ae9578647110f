"""A density of those elements of an event that were observed."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions.event import EventDistribution


@final
class Observed(Distribution):
    """The marginal of a factorised distribution over the elements that are not NaN.

    log p(x_observed) = Σ over observed elements of log p(x_i); mean, mode and samples are of all.

    Args:
        whole: Of the complete event.
    """

    def __init__(self, whole: EventDistribution) -> None:
        self.whole = whole
        super().__init__(whole.batch_shape, whole.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.whole.mean

    @property
    def mode(self) -> Tensor:
        return self.whole.mode

    @property
    def variance(self) -> Tensor:
        return self.whole.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.whole.sample(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        absent = torch.isnan(value)
        # Zero lies in every support; a NaN would make the gradient of what is left out NaN too.
        filled = torch.where(absent, torch.zeros_like(value), value)
        each = self.whole.elementwise().log_prob(filled)
        return torch.where(absent, torch.zeros_like(each), each).sum(self.whole._event_axes)
