"""The contract of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.errors import OptionError
from isthmus.registry import Part, Registry

PRIORS = Registry("prior")

# x, and its condition where the model's encoder reads one -> q(z|x).
Infer = Callable[..., Distribution]

# The space of a prior that is made of the model's own posteriors: wherever they live.
POSTERIORS_SPACE = "posterior"


class Prior(Part, nn.Module, ABC):
    """p(z), possibly given a condition.

    Attributes:
        space: Where codes live, as a posterior says it; `POSTERIORS_SPACE` for a mean of the
            model's own posteriors, which then need a density.
    """

    space: str = "real"

    @abstractmethod
    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Distribution:
        """p(z), event Z.

        Args:
            condition: (B, ...) what the prior is conditioned on; most ignore it.
            infer: The model's (scaled x, condition of x or None) -> q(z|x), for a prior made of
                posteriors at pseudo-inputs.

        Returns:
            A distribution with batch () or (B,).
        """


class LeaveOneOutPrior(Prior, ABC):
    """A prior made of training data, which must not vouch for themselves while they train it."""

    @abstractmethod
    def beside(
        self, x: Tensor, condition: Tensor | None = None, infer: Infer | None = None
    ) -> Distribution:
        """What a training step on x reads in place of `forward`: for each datum, without itself.

        Args:
            x: (B, *D), scaled.
            condition: As `forward` takes it.
            infer: As `forward` takes it.

        Returns:
            A distribution with batch (B,).
        """


class FittedPrior(Prior, ABC):
    """A density of codes that is fitted after training; the objective never reads it.

    Its parameters take no part in the training before.

    Attributes:
        fitted_to: The encode mode of its codes: each training datum's "mean", a "sample" of
            q(z|x), or the "argmax" of a discrete posterior.
        by_steps: Fitting is a training of its own, of hundreds of steps.
    """

    fitted_to: str = "mean"
    by_steps: bool = False

    @abstractmethod
    def fit(self, codes: Tensor) -> None:
        """Fit to codes (N, *Z)."""


class StartedPrior(Prior, ABC):
    """A prior that training moves, and that may begin where the codes are once they have formed.

    Attributes:
        pretraining: The share of training before that; 0 where it begins as it was made.
    """

    pretraining: float = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("started", torch.tensor(False))

    @abstractmethod
    def start(self, codes: Tensor, seed: int) -> None:
        """Begin at codes (N, *Z); `seed` is of what is drawn on the way."""


def room_for_conditions(count: int, condition_dim: int) -> Tensor | None:
    """Zeros (count, C) for the conditions of a prior's own data; None where data have none."""
    return torch.zeros(count, condition_dim) if condition_dim else None


def one_axis(prior: str, latent_shape: Sequence[int]) -> int:
    """The width Z of codes with one axis.

    Raises:
        OptionError: They have more.
    """
    if len(latent_shape) != 1:
        raise OptionError(
            f"The prior {prior!r} takes codes with one axis, not the shape {tuple(latent_shape)}: "
            "use 'standard-normal' or 'mixture'."
        )
    return latent_shape[0]
