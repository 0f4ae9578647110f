"""The columns of a table of figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Column:
    """One column of the table.

    Args:
        key: Its name in `metrics.json`.
        title: Its heading.
        unit: nats, bits, s, bytes or nothing.
        better: 1 where more is better, -1 where less is, 0 where neither.
        digits: Decimals shown.
        help: One sentence that says how to read it.
        of_data: Log p of the data themselves, which is comparable only where it is of one kind:
            not a mass with a density, nor log p(x|c) with log p(x).
        ideal: What the figure is at its best, where estimates scatter beyond it: a classifier's
            area of 0.48 is no better than one of 0.5. None where there is nothing beyond.
    """

    key: str
    title: str
    unit: str
    better: int
    digits: int
    help: str
    of_data: bool = False
    ideal: float | None = None

    def held(self, value: float) -> float:
        """The value, or the ideal where it lies beyond: what models are ranked by."""
        if self.ideal is None:
            return value
        return max(value, self.ideal) if self.better < 0 else min(value, self.ideal)
