"""What distributions over vectors with a centre share."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.distributions import Distribution


class Located(Distribution, ABC):
    """Vectors that lie about `loc`, where the density has its one peak.

    Args:
        loc: (*batch, Z); the mode, and the mean in the sense of the space that the vectors live in.
    """

    has_rsample = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """The log density of `value` (..., Z) in nats."""

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc
