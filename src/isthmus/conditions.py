"""What a batch is conditioned on, handed to those parts of a model that read it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import torch
from torch import Tensor, nn

from isthmus.errors import DataError
from isthmus.networks import Decoder, Encoder


def ask(network: Encoder | Decoder, data: Tensor, condition: Tensor | None) -> Tensor:
    """What a network says of data, which it is given with their condition if it reads one."""
    said: Tensor = network(data, condition) if network.conditional else network(data)
    return said


def reads_condition(part: nn.Module) -> bool:
    """Whether a part of a model is conditioned on something that it cannot do without."""
    return bool(getattr(part, "conditional", False)) and not getattr(part, "optional", False)


def needs_condition(model: nn.Module) -> bool:
    """Whether a model cannot answer without a condition."""
    return any(reads_condition(part) for part in model.children())


def for_each(condition: Tensor | None, n: int, device: torch.device) -> Tensor | None:
    """A condition for each of n data: (n, C) as it is, one condition (C,) or (1, C) repeated.

    It is brought to `device`, where the data or the model lie.

    Raises:
        DataError: It has rows for another number of data.
    """
    if condition is None:
        return None
    rows = condition if condition.dim() > 1 else condition.unsqueeze(0)
    if len(rows) not in (1, n):
        raise DataError(
            f"The condition has shape {tuple(condition.shape)} and there are {n} data: give one "
            "row for each, or one for all."
        )
    return rows.to(device).expand(n, *rows.shape[1:])


def parts(
    data: Tensor, condition: Tensor | None, size: int
) -> Iterable[tuple[Tensor, Tensor | None]]:
    """Data and their conditions, `size` at a time."""
    rows = for_each(condition, len(data), data.device)
    return zip(data.split(size), repeat(None) if rows is None else rows.split(size), strict=False)
