"""Data larger than memory: blocks of a file, shuffled in a bounded window.

A file is a row of blocks (the row groups of a Parquet file, stretches of a `.npy`). An epoch takes
the blocks in a seeded order, a few side by side, in pieces; as many pieces as fit the window are
permuted together. Which rows land in which batch follows from the file's block sizes and (seed,
epoch), so an epoch can be entered at any batch, and what lies before it is read only where a block
cannot be entered in its middle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from isthmus.data.checks import check_finite, check_support
from isthmus.data.indexed import order
from isthmus.data.resident import in_units
from isthmus.data.source import Batch, Source
from isthmus.data.spec import DataSpec
from isthmus.data.splits import HashSplit, check_fractions, check_part
from isthmus.errors import DataError

PIECE_BYTES = 8 * 2**20
WINDOW_BYTES = 96 * 2**20
# Blocks that are read side by side, so that a window mixes several even where each is huge.
LANES = 4


class Rows(NamedTuple):
    """Consecutive or permuted rows: x (n, *D) as stored, labels (n,) or None."""

    x: Tensor
    labels: Tensor | None

    def part(self, first: int, last: int) -> Rows:
        """Rows first .. last-1, without a copy."""
        return Rows(self.x[first:last], None if self.labels is None else self.labels[first:last])

    def at(self, index: Tensor) -> Rows:
        """The rows at `index`."""
        return Rows(
            self.x.index_select(0, index),
            None if self.labels is None else self.labels.index_select(0, index),
        )


class Reader(ABC):
    """A file as blocks of rows.

    `rows` holds the number of rows of each block, `piece` how many of them are read at a time, and
    `lanes` how many blocks may stand open side by side.
    """

    where: str
    rows: tuple[int, ...]
    piece: int
    lanes: int = LANES
    names: tuple[str, ...] = ()

    @abstractmethod
    def read(self, block: int, start: int) -> Iterator[Rows]:
        """The pieces of a block in order, from row `start` on, which is a multiple of `piece`."""


def join(parts: list[Rows]) -> Rows:
    """Rows one after the other; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    labels = [p.labels for p in parts if p.labels is not None]
    return Rows(torch.cat([p.x for p in parts]), torch.cat(labels) if labels else None)


def scatter(parts: Iterable[Rows], places: Tensor) -> Rows:
    """Rows permuted as they come, so that they are held only once.

    Args:
        parts: n rows together, at least one part.
        places: (n,) where each row goes.
    """
    x = labels = torch.empty(0)
    first = 0
    for part in parts:
        if not first:
            x = part.x.new_empty((len(places), *part.x.shape[1:]))
            labels = places.new_empty(len(places))
        at = places[first : first + len(part.x)]
        x.index_copy_(0, at, part.x)
        if part.labels is not None:
            labels.index_copy_(0, at, part.labels)
        first += len(part.x)
    return Rows(x, None if part.labels is None else labels)


def cut(parts: Iterable[Rows], size: int, *, keep_rest: bool) -> Iterator[Rows]:
    """Rows in portions of exactly `size`, across the borders of the parts.

    Args:
        parts: Any number of rows each.
        size: Rows of a portion.
        keep_rest: Whether what is left at the end is yielded too.
    """
    carried: list[Rows] = []
    held = 0
    for part in parts:
        first, n = 0, len(part.x)
        while held + n - first >= size:
            taken = size - held
            yield join([*carried, part.part(first, first + taken)])
            carried, held, first = [], 0, first + taken
        if first < n:
            rest = part.part(first, n)
            # A view would keep the whole window alive while the next one is read.
            carried.append(Rows(rest.x.clone(), rest.labels))
            held += n - first
            del rest
        del part
    if keep_rest and held:
        yield join(carried)


class _Piece(NamedTuple):
    block: int
    first: int
    kept: int


# Block -> the row that it was read up to, and its reader.
_Opened = dict[int, tuple[int, Iterator[Rows]]]


@final
class Streamed(Source):
    """A source read from a file with bounded memory.

    Args:
        reader: Of the file.
        spec: Its length is the number of rows that the splits keep.
        splits: The splits whose part this is, outermost first.
        notes: What the loader handled.
        window_bytes: Bytes of rows that are shuffled together.
    """

    split_method = "hash"

    def __init__(
        self,
        reader: Reader,
        spec: DataSpec,
        *,
        splits: tuple[HashSplit, ...] = (),
        notes: tuple[str, ...] = (),
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self.reader = reader
        self.splits = splits
        self.notes = notes
        self.window_bytes = window_bytes
        self._offsets = np.concatenate([[0], np.cumsum(reader.rows)]).astype(np.uint64)
        self._pieces = self._count_pieces()
        self.spec = spec.with_length(sum(p.kept for p in self._pieces))

    def _count_pieces(self) -> list[_Piece]:
        step = self.reader.piece
        pieces = []
        for block, rows in enumerate(self.reader.rows):
            for first in range(0, rows, step):
                n = min(step, rows - first)
                keep = self._keep(block, first, n)
                pieces.append(_Piece(block, first, n if keep is None else int(keep.sum())))
        return pieces

    def _keep(self, block: int, first: int, n: int) -> np.ndarray | None:
        if not self.splits:
            return None
        start = int(self._offsets[block]) + first
        rows = np.arange(start, start + n, dtype=np.uint64)
        return np.asarray(np.logical_and.reduce([split.keep(rows) for split in self.splits]))

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        size = min(batch_size, len(self))
        windows = self._shuffled_windows(seed, epoch, start * size)
        for rows in islice(cut(windows, size, keep_rest=False), 0, None, stride):
            yield self._batch(rows)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        for rows in cut(self._read(self._pieces, {}), size, keep_rest=True):
            yield self._batch(rows)

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of a split by hashed row number; its size is close to its fraction."""
        check_fractions(fractions)
        check_part(part)
        # A split of a part has to be drawn apart from the split that made the part.
        chosen = HashSplit(part, seed + 1_000_003 * len(self.splits), fractions)
        found = Streamed(
            self.reader,
            self.spec,
            splits=(*self.splits, chosen),
            notes=self.notes,
            window_bytes=self.window_bytes,
        )
        if not len(found):
            raise DataError(
                f"{self.reader.where}: the {part} part of {len(self)} rows came out empty; give "
                "more rows or a larger fraction."
            )
        return found

    def _batch(self, rows: Rows) -> Batch:
        return Batch(in_units(rows.x, self.spec.unit), rows.labels)

    def _shuffled_windows(self, seed: int, epoch: int, skip: int) -> Iterator[Rows]:
        opened: _Opened = {}
        for number, (kept, pieces) in enumerate(self._windows(seed, epoch)):
            if skip >= kept:
                skip -= kept
                continue
            places = order(kept, seed, epoch, number)
            yield scatter(self._read(pieces, opened), places).part(skip, kept)
            skip = 0

    def _windows(self, seed: int, epoch: int) -> Iterator[tuple[int, list[_Piece]]]:
        """The pieces of each window and how many rows they keep."""
        row_bytes = self.spec.size * 4
        kept, window = 0, list[_Piece]()
        for piece in self._piece_order(seed, epoch):
            if window and (kept + piece.kept) * row_bytes > self.window_bytes:
                yield kept, window
                kept, window = 0, []
            if piece.kept:
                kept += piece.kept
                window.append(piece)
        if window:
            yield kept, window

    def _piece_order(self, seed: int, epoch: int) -> Iterator[_Piece]:
        """Blocks in seeded order, some of them at a time, a piece of each in turn."""
        of_block: dict[int, list[_Piece]] = {}
        for piece in self._pieces:
            of_block.setdefault(piece.block, []).append(piece)
        waiting = iter(order(len(self.reader.rows), seed, epoch).tolist())
        lanes = [
            iter(of_block.get(b, ()))
            for _, b in zip(range(self.reader.lanes), waiting, strict=False)
        ]
        while lanes:
            lane = lanes.pop(0)
            following = next(lane, None)
            if following is not None:
                yield following
                lanes.append(lane)
            elif (block := next(waiting, None)) is not None:
                lanes.append(iter(of_block.get(block, ())))

    def _read(self, pieces: Iterable[_Piece], opened: _Opened) -> Iterator[Rows]:
        """The kept rows of each piece, checked; blocks that are not read to their end stay in
        `opened`.
        """
        for piece in pieces:
            expected, running = opened.pop(piece.block, (-1, iter(())))
            if expected != piece.first:
                running = self.reader.read(piece.block, piece.first)
            rows = next(running)
            n = len(rows.x)
            if piece.first + n < self.reader.rows[piece.block]:
                opened[piece.block] = (piece.first + n, running)
            # A reader that is done with lets go of its buffers before the next one is opened.
            del running
            yield self._checked(rows, piece)
            del rows

    def _checked(self, rows: Rows, piece: _Piece) -> Rows:
        first = int(self._offsets[piece.block]) + piece.first
        where, names = self.reader.where, self.reader.names
        check_finite(rows.x, where, names, first, "in the rows around it")
        if rows.x.dtype == torch.float32:
            check_support(rows.x, self.spec.support, where, names, first)
        keep = self._keep(piece.block, piece.first, len(rows.x))
        return rows if keep is None else rows.at(torch.from_numpy(np.nonzero(keep)[0]))
