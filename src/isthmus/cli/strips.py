"""What the commands that move about in the code share: data in hand, and rows in strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast, final

import numpy as np
import torch
from torch import Tensor

from isthmus.cli.given import Given
from isthmus.cli.running import data_layout
from isthmus.cli.sinks import WRITERS, Layout, Sink
from isthmus.cli.writers import Target
from isthmus.data import Batch, DataSpec
from isthmus.errors import OptionError
from isthmus.model import LatentModel

# Data that are enough for means, covariances and quantiles of codes.
ENOUGH = 10_000
CHUNK = 4096


def gather(given: Given, rows: np.ndarray) -> Batch:
    """Some data, in the order of their `rows` (n,).

    Raises:
        OptionError: There is no such row.
    """
    if len(rows) and (rows.min() < 0 or rows.max() >= len(given)):
        beyond = rows[(rows < 0) | (rows >= len(given))][0]
        raise OptionError(f"Row {beyond} is not among the {len(given):,} data, from 0.")
    order = np.argsort(rows, kind="stable")
    found: list[tuple[Tensor | None, ...]] = []
    first = 0
    for batch in given.chunks(CHUNK):
        inside = rows[order][(rows[order] >= first) & (rows[order] < first + len(batch))] - first
        if len(inside):
            here = torch.from_numpy(inside)
            parts = (batch.x, batch.labels, batch.factors, batch.condition)
            found.append(tuple(None if p is None else p[here] for p in parts))
        first += len(batch)
        if first > rows.max():
            break
    back = torch.from_numpy(np.argsort(order, kind="stable"))
    x, *rest = (_joined(parts, back) for parts in zip(*found, strict=True))
    return Batch(cast(Tensor, x), *rest)


def _joined(parts: Sequence[Tensor | None], order: Tensor) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there)[order] if there else None


def first(given: Given, total: int) -> Iterator[Batch]:
    """So many data from the first, in chunks."""
    for batch in given.chunks(CHUNK):
        parts = (batch.x, batch.labels, batch.factors, batch.condition)
        x, *rest = (None if part is None else part[:total] for part in parts)
        yield Batch(cast(Tensor, x), *rest)
        total -= len(batch)
        if total <= 0:
            return


def some_rows(given: Given, seed: int, most: int = ENOUGH) -> np.ndarray:
    """Rows of at most so many data, by chance where there are more."""
    if len(given) <= most:
        return np.arange(len(given))
    return np.sort(np.random.default_rng(seed).choice(len(given), most, replace=False))


def encode(model: LatentModel, batch: Batch) -> Tensor:
    """Posterior means of a batch."""
    return model.encode(batch.x, condition=batch.condition)


def shows_pictures(target: Target) -> bool:
    """Whether the target is a picture or a folder of pictures."""
    return bool(WRITERS[target.kind].about.get("images"))


@final
class Strips:
    """Rows of data in strips of equal length; a table says beside each row where it stands.

    Args:
        target: Where they go.
        spec: Of the run's data.
        count: How many strips.
        across: Rows in a strip.
        what: They are called in messages.
        places: Names of the two numbers that say where a row stands.
        apart: Places in a picture's strip that stand apart from those on their left.
    """

    def __init__(
        self,
        target: Target,
        spec: DataSpec,
        count: int,
        across: int,
        what: str,
        places: tuple[str, str],
        apart: tuple[int, ...] = (),
    ) -> None:
        layout = data_layout(spec, count * across, what)
        self._tabled = bool(WRITERS[target.kind].about.get("tables")) or target.kind == ".csv"
        if self._tabled and len(layout.shape) == 1:
            names = (*places, *layout.names)
            layout = replace(layout, names=names, shape=(len(names),))
        self.layout: Layout = replace(layout, across=across, apart=apart)

    def write(self, sink: Sink, rows: Tensor, places: Tensor) -> None:
        """Append rows (n, *D) that stand at `places` (n, 2)."""
        if self._tabled:
            rows = torch.cat([places.to(rows), rows.flatten(1)], 1)
        sink.write(rows.detach().cpu().numpy(), None)


def percent(share: float) -> str:
    """A share in words."""
    return f"{100.0 * share:.0f}%"
