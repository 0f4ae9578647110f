"""Point masses: what a deterministic encoder says of its code."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution
from isthmus.errors import UnsupportedError


class Fixed(EventDistribution, ABC):
    """All mass on one value; it has no density with respect to Lebesgue measure.

    Attributes:
        why_no_density: What who asks for one is told.

    Args:
        value: Batch and event shape; the mean, and every draw.
        event_dims: How many of the last axes are the event.
    """

    why_no_density: ClassVar[str]
    arg_constraints: ClassVar[dict[str, Any]] = {"value": constraints.real}
    has_rsample = True

    def __init__(self, value: Tensor, event_dims: int = 1) -> None:
        self.value = value
        super().__init__(value.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.value)

    def log_prob(self, value: Tensor) -> Tensor:
        raise UnsupportedError(self.why_no_density)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(torch.Size(sample_shape) + self.shape)


class PointMass(Fixed, ABC):
    """A code that a deterministic encoder puts out: the value is its own mode."""

    why_no_density = (
        "A point mass (a deterministic code) has no density, so no log_prob and no rate; "
        "use a model whose posterior has a density, such as the recipe 'vae'."
    )

    @property
    def mode(self) -> Tensor:
        return self.value


@final
class Delta(PointMass):
    """A point mass and nothing more."""


@final
class SparseDelta(PointMass):
    """A point mass on a sparse code, and what its training asks for besides.

    Args:
        value: (B, Z) the code.
        price: (B,) what must be small for a code to be sparse; None where it is sparse by itself.
        gate: (B, Z) another code that the decoder must be able to use, to teach a gate.
        revival: (B, Z) what dead latents would say; None outside training.
    """

    def __init__(
        self,
        value: Tensor,
        price: Tensor | None = None,
        gate: Tensor | None = None,
        revival: Tensor | None = None,
    ) -> None:
        super().__init__(value, 1)
        self.price = price
        self.gate = gate
        self.revival = revival
