"""Linear maps of the features, and how one is read as a location and a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.maths import full_precision

# exp(.5 * 20) and exp(.5 * -30): wide enough for any code, narrow enough for float32.
LOG_VARIANCE_RANGE = (-30.0, 20.0)
GAIN = 3.0

# By the number of a map's axes.
_CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


def linear_head(
    features: int, latent_shape: Sequence[int], per: int, grid: Sequence[int] = ()
) -> nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d:
    """The map from features to `per` numbers for each of a code's.

    Args:
        features: H.
        latent_shape: Z; (width, h, w) over a feature map.
        per: Of them all the first for every number of the code come first, then all the second.
        grid: (h, w) where the features are a map (B, H, h, w), or as many sides as it has axes: one
            map then serves every cell.
    """
    if grid:
        return _CONVOLUTIONS[len(grid)](features, per * latent_shape[0], 1)
    return nn.Linear(features, per * math.prod(latent_shape))


def wide_start(head: nn.Linear) -> nn.Linear:
    """The head with three times PyTorch's first weights and no bias.

    Its numbers then have about unit spread in place of .3. What squashes them, a tanh before it
    rounds or a softmax, sees little of its range otherwise.
    """
    with torch.no_grad():
        head.weight.mul_(GAIN)
        head.bias.zero_()
    return head


def one_axis(posterior: str, part: str, shape: Sequence[int], instead: str) -> int:
    """The width of a code, or of its continuous part, that has one axis.

    Args:
        posterior: Its name.
        part: "a code", or "a continuous part".
        shape: Z as it was asked for.
        instead: The posteriors that take any shape, in words.

    Raises:
        OptionError: It has another number of axes.
    """
    if len(shape) != 1:
        raise OptionError(
            f"The posterior {posterior!r} takes {part} of one axis, not the shape {tuple(shape)}: "
            f"use the posterior {instead}."
        )
    return shape[0]


def location_scale(parameters: Tensor, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Location and scale (B, *Z) from (B, 2 Z): the second half is twice the scale's logarithm."""
    location, twice_log_scale = full_precision(parameters).reshape(-1, 2, *shape).unbind(1)
    # A clamp, with one call behind it in place of five on the way back.
    return location, F.hardtanh(twice_log_scale, *LOG_VARIANCE_RANGE).mul(0.5).exp()
