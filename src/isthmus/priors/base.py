"""The contract of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.registry import Part, Registry

PRIORS = Registry("prior")

Infer = Callable[[Tensor], Distribution]


class Prior(Part, nn.Module, ABC):
    """p(z), possibly given a condition.

    Attributes:
        space: Where codes live, as a posterior says it.
    """

    space: str = "real"

    @abstractmethod
    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Distribution:
        """p(z), event Z.

        Args:
            condition: (B, ...) what the prior is conditioned on; most ignore it.
            infer: The model's x -> q(z|x), for a prior made of posteriors at pseudo-inputs.

        Returns:
            A distribution with batch () or (B,).
        """


class FittedPrior(Prior, ABC):
    """A density of codes that is fitted after training; the objective never reads it."""

    @abstractmethod
    def fit(self, codes: Tensor) -> None:
        """Fit to codes (N, *Z)."""
