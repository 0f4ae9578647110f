"""A distribution whose draws know their own density."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution


class TracedDistribution(Distribution, ABC):
    """A reparameterised distribution that remembers the log density of its last draw.

    Where a draw is one pass and its density falls out of it, but the density of any other value
    takes an inversion, a bound asks for the cheap one: `log_prob` of the very tensor that `rsample`
    returned last is read, and anything else is worked out.

    Args:
        batch_shape: B.
        event_shape: Z.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(self, batch_shape: torch.Size, event_shape: torch.Size) -> None:
        super().__init__(batch_shape, event_shape, validate_args=False)
        self._last: tuple[Tensor, Tensor, bool] | None = None

    @abstractmethod
    def draw(self, shape: torch.Size) -> tuple[Tensor, Tensor]:
        """(S, B, *Z) draws and their (S, B) log densities in nats."""

    @abstractmethod
    def density(self, value: Tensor) -> Tensor:
        """The log density of any value, in nats."""

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        z, log_density = self.draw(torch.Size(sample_shape))
        self._last = (z, log_density, torch.is_grad_enabled())
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        if self._last is not None:
            z, log_density, differentiable = self._last
            # What was drawn without gradients cannot answer a question that wants them.
            if value is z and (differentiable or not torch.is_grad_enabled()):
                return log_density
        return self.density(value)
