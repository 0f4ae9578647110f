"""How a linear map of the features is read as a location and a scale."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from isthmus.maths import full_precision

# exp(.5 * 20) and exp(.5 * -30): wide enough for any code, narrow enough for float32.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


def location_scale(parameters: Tensor, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Location and scale (B, *Z) from (B, 2 Z): the second half is twice the scale's logarithm."""
    location, twice_log_scale = full_precision(parameters).view(-1, 2, *shape).unbind(1)
    return location, twice_log_scale.clamp(*LOG_VARIANCE_RANGE).mul(0.5).exp()
