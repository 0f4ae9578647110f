"""Losses gathered on the device and read at intervals, so that no step waits for the host."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from isthmus.errors import TrainingError
from isthmus.objectives import Loss
from isthmus.training.devices import Processes

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
    """The losses since the last reading, kept on the device as they came.

    Args:
        group: The processes whose losses are averaged when they are read.
    """

    def __init__(self, group: Processes) -> None:
        self._group = group
        self._names: list[str] = []
        self._rows: list[list[Tensor]] = []
        self._restored = torch.empty(0)

    def add(self, loss: Loss) -> None:
        """Take a step's losses; nothing is computed on a CPU, and nothing read anywhere."""
        if not self._names:
            self._names = ["loss", *loss.terms, *loss.critics]
        values = (loss.total, *loss.terms.values(), *loss.critics.values())
        if loss.total.is_cuda:
            # A captured graph writes its outputs to the same place at every step.
            self._rows.append([value.detach().mean() for value in values])
        else:
            self._rows.append([value.detach() for value in values])

    def unread(self) -> Tensor:
        """The means since the last reading, (steps, names), for a checkpoint."""
        if not self._rows:
            return self._restored
        columns = [torch.stack(column) for column in zip(*self._rows, strict=True)]
        means = [column.flatten(1).mean(1) if column.ndim > 1 else column for column in columns]
        table = torch.stack([mean.to(_widest(means)) for mean in means], 1)
        return torch.cat([self._restored.to(table), table]) if len(self._restored) else table

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
        table = self._group.mean(self.unread().clone()).cpu()
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
        self._rows, self._restored = [], torch.empty(0)
        return dict(zip(self._names, table.mean(0).tolist(), strict=True)) if len(table) else {}


def _widest(values: list[Tensor]) -> torch.dtype:
    return torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32


def broken(term: str, value: float, step: int, rescue: str) -> TrainingError:
    """The error for a term that became NaN or infinite at a step."""
    became = "NaN" if math.isnan(value) else f"{value}"
    return TrainingError(f"The term {term!r} became {became} at step {step}. {rescue} {ADVICE}")
