"""Losses gathered on the device and read at intervals, so that no step waits for the host."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from isthmus.errors import TrainingError
from isthmus.objectives import Loss


def named_means(loss: Loss) -> dict[str, Tensor]:
    """The scalars of a loss by name: the total, every term's mean, every critic's loss."""
    return {
        "loss": loss.total.detach(),
        **{name: term.detach().mean() for name, term in loss.terms.items()},
        **{name: value.detach() for name, value in loss.critics.items()},
    }


@final
class Meter:
    """A table of the last steps' losses on the device.

    Args:
        rows: Steps between two readings.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._names: list[str] = []
        self._table = torch.empty(0)
        self._filled = 0

    def add(self, loss: Loss) -> None:
        """Take a step's losses; nothing is read."""
        means = named_means(loss)
        if not self._names:
            self._names = list(means)
            self._table = torch.empty(self._rows, len(means), device=loss.total.device)
        self._table[self._filled] = torch.stack(list(means.values()))
        self._filled += 1

    @property
    def full(self) -> bool:
        """Whether it must be read before the next step."""
        return self._filled == self._rows

    def read(self, step: int, rescue: str) -> dict[str, float]:
        """The means since the last reading, by name.

        Args:
            step: The number of steps taken.
            rescue: What an error says of the best weights.

        Raises:
            TrainingError: A loss was NaN or infinite; step and term are named.
        """
        if not self._filled:
            return {}
        table = self._table[: self._filled].cpu()
        first = step - self._filled + 1
        self._filled = 0
        bad = (~torch.isfinite(table)).nonzero()
        if len(bad):
            row, columns = bad[0, 0], bad[bad[:, 0] == bad[0, 0], 1].tolist()
            # The total is bad whenever a term is: the term is the news.
            column = columns[-1] if columns[0] == 0 and len(columns) == 1 else columns[min(1, len(columns) - 1)]
            value = table[row, column].item()
            raise TrainingError(
                f"The term {self._names[column]!r} became {'NaN' if math.isnan(value) else value} at step "
                f"{first + int(row)}. {rescue} Lower lr, set clip=1, or look for extreme values in the data."
            )
        return dict(zip(self._names, table.mean(0).tolist(), strict=True))
