"""The quantised code: a vector from a finite set, and the integers that name it."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution
from isthmus.errors import UnsupportedError


@final
class Quantised(EventDistribution):
    """All mass on one of finitely many vectors.

    `mean` is the vector, `mode` the integers that name it, and every draw the vector again. It has
    no density with respect to Lebesgue measure; what it carries is counted in bits.

    Args:
        value: (*batch, *Z) the vector, its gradient passed straight through to the encoder.
        indices: (*batch, *code shape) the integers.
        event_dims: How many of the last axes of `value` are the event.
        penalties: Per-datum terms (*batch,) that the quantiser asks to be minimised.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"value": constraints.real}
    has_rsample = True

    def __init__(
        self,
        value: Tensor,
        indices: Tensor,
        event_dims: int = 1,
        penalties: dict[str, Tensor] | None = None,
    ) -> None:
        self.value = value
        self.indices = indices
        self.penalties = penalties or {}
        super().__init__(value.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def mode(self) -> Tensor:
        return self.indices

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.value)

    def log_prob(self, value: Tensor) -> Tensor:
        raise UnsupportedError(
            "A quantised code has no density, so no log_prob; its rate is counted in bits "
            "(posterior.code_bits). Use a model whose posterior has a density, such as the recipe "
            "'vae'."
        )

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(torch.Size(sample_shape) + self.shape)
