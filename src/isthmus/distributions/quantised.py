"""The quantised code: a vector from a finite set, and the integers that name it."""

from __future__ import annotations

from typing import final

from torch import Tensor

from isthmus.distributions.delta import Fixed


@final
class Quantised(Fixed):
    """All mass on one of finitely many vectors.

    `mean` is the vector, `mode` the integers that name it, and every draw the vector again. It has
    no density with respect to Lebesgue measure; what it carries is counted in bits.

    Args:
        value: (*batch, *Z) the vector, its gradient passed straight through to the encoder.
        indices: (*batch, *code shape) the integers.
        event_dims: How many of the last axes of `value` are the event.
        penalties: Per-datum terms (*batch,) that the quantiser asks to be minimised.
    """

    why_no_density = (
        "A quantised code has no density, so no log_prob; its rate is counted in bits "
        "(posterior.code_bits). Use a model whose posterior has a density, such as the recipe "
        "'vae'."
    )

    def __init__(
        self,
        value: Tensor,
        indices: Tensor,
        event_dims: int = 1,
        penalties: dict[str, Tensor] | None = None,
    ) -> None:
        self.indices = indices
        self.penalties = penalties or {}
        super().__init__(value, event_dims)

    @property
    def mode(self) -> Tensor:
        """The integers that name the vector."""
        return self.indices
