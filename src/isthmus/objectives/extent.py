"""The range of data as a model sees them, for what compares pictures on a scale of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.data import Source

# Supports whose ends are known without a look at the data.
BOUNDED = ("unit", "binary")


def measured(source: Source, scale: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Lowest and highest value of the training data, scaled (2,): one pass over them.

    Args:
        source: In the data's units.
        scale: x (B, *D) -> as the model's networks see it.
        like: A tensor on the device of `scale`.
    """
    ranges = []
    for batch in source.chunks(1024):
        seen = scale(batch.x.to(like.device))
        ranges.append(torch.stack([seen.amin(), seen.amax()]))
    ends = torch.stack(ranges)
    return torch.stack([ends[:, 0].amin(), ends[:, 1].amax()])


def extent(source: Source, scale: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """The two ends of the values that data can have, scaled (2,); measured where they have none."""
    if source.spec.support not in BOUNDED:
        return measured(source, scale, like)
    shape = (1, *source.spec.shape)
    lowest, highest = (scale(torch.full(shape, end, device=like.device)) for end in (0.0, 1.0))
    return torch.stack([lowest.amin(), highest.amax()])
