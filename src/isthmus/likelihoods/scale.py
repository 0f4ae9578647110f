"""A positive number, or one per element, learned beside the decoder and shared by all data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.maths import soft_lower_bound, softplus_inverse

# An optimiser moves one number by about its learning rate per step, whatever the gradient; at a
# rate of 1e-3 a log scale would take thousands of steps from 1 to the noise of small images. With
# this factor it takes hundreds.
_GAIN = 10.0


def check_positive(name: str, value: float) -> float:
    """`value`, or an `OptionError` where it is not a positive finite number."""
    if not (value > 0 and math.isfinite(value)):
        raise OptionError(f"{name} must be a positive number; got {value!r}.")
    return float(value)


@final
class SharedScale(nn.Module):
    """exp of a learned logarithm, softly bounded below.

    Args:
        shape: () for one number, or the event shape D for one per element.
        initial: The value at the start.
        minimum: What it never falls below; smaller than `initial`.

    Raises:
        OptionError: A number is not positive, or `initial` is not above `minimum`.
    """

    def __init__(self, shape: Sequence[int], initial: float, minimum: float) -> None:
        super().__init__()
        self.bound = math.log(check_positive("the lower bound of a scale", minimum))
        above = math.log(check_positive("the scale at the start", initial)) - self.bound
        if above <= 0:
            raise OptionError(
                "The scale at the start must lie above its lower bound; "
                f"got {initial!r} and {minimum!r}."
            )
        # The inverse of the soft bound, so that the value at the start is `initial` and no other.
        start = self.bound + softplus_inverse(above)
        self.log_scale = nn.Parameter(torch.full(tuple(shape), start / _GAIN))

    def forward(self) -> Tensor:
        """The value, of the shape given."""
        return soft_lower_bound(_GAIN * self.log_scale, self.bound).exp()
