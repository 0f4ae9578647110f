"""Losses gathered on the device and read at intervals, so that no step waits for the host."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from isthmus.errors import TrainingError
from isthmus.objectives import Loss
from isthmus.training.devices import Processes

# Rows at first; the table grows to the interval between two readings.
ROWS = 64
ADVICE = "Lower lr, set clip=1, or look for extreme values in the data."


def named_means(loss: Loss) -> dict[str, Tensor]:
    """The scalars of a loss by name: the total, every term's mean, every critic's loss."""
    return {
        "loss": loss.total.detach(),
        **{name: term.detach().mean() for name, term in loss.terms.items()},
        **{name: value.detach() for name, value in loss.critics.items()},
    }


@final
class Meter:
    """A table on the device of the losses since the last reading.

    Args:
        group: The processes whose losses are averaged when they are read.
    """

    def __init__(self, group: Processes) -> None:
        self._group = group
        self._names: list[str] = []
        self._table = torch.empty(0)
        self._filled = 0
        self._restored = torch.empty(0)

    def add(self, loss: Loss) -> None:
        """Take a step's losses; nothing is read."""
        means = named_means(loss)
        if not self._names:
            self._start(list(means), loss.total)
        elif self._filled == len(self._table):
            self._table = torch.cat([self._table, torch.empty_like(self._table)])
        torch.stack(list(means.values()), out=self._table[self._filled])
        self._filled += 1

    def unread(self) -> Tensor:
        """The rows since the last reading, for a checkpoint."""
        return self._table[: self._filled] if self._names else self._restored

    def restore(self, rows: Tensor) -> None:
        """Go on from the rows of a checkpoint."""
        self._restored = rows

    def check(self, step: int, rescue: str) -> Tensor:
        """The rows since the last reading, averaged over processes, on the host.

        Args:
            step: The number of steps taken.
            rescue: What an error says of the best weights.

        Raises:
            TrainingError: A loss was NaN or infinite; step and term are named.
        """
        if not self._filled:
            return self._table[:0]
        table = self._group.mean(self._table[: self._filled].clone()).cpu()
        bad = (~torch.isfinite(table)).nonzero()
        if len(bad):
            row = int(bad[0, 0])
            # The total, in column 0, is bad whenever a term is: the term is the news.
            columns = [int(column) for at, column in bad if at == row]
            column = next(filter(None, columns), 0)
            taken = step - len(table) + 1 + row
            raise broken(self._names[column], float(table[row, column]), taken, rescue)
        return table

    def read(self, step: int, rescue: str) -> dict[str, float]:
        """The means since the last reading, by name; the arguments and the error are `check`'s."""
        table = self.check(step, rescue)
        self._filled = 0
        return dict(zip(self._names, table.mean(0).tolist(), strict=True)) if len(table) else {}

    def _start(self, names: list[str], like: Tensor) -> None:
        self._names = names
        dtype = torch.promote_types(like.dtype, torch.float32)
        self._table = torch.empty(ROWS, len(names), dtype=dtype, device=like.device)
        self._filled = len(self._restored)
        if self._filled:
            self._table = torch.cat([self._restored.to(self._table), self._table])


def broken(term: str, value: float, step: int, rescue: str) -> TrainingError:
    """The error for a term that became NaN or infinite at a step."""
    became = "NaN" if math.isnan(value) else f"{value}"
    return TrainingError(f"The term {term!r} became {became} at step {step}. {rescue} {ADVICE}")
