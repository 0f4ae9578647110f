"""Readers for streaming: Parquet by row group, `.npy` by stretches of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from isthmus.data.arrow import Selection, to_labels, to_rows
from isthmus.data.images import first_channel
from isthmus.data.streamed import LANES, PIECE_BYTES, Reader, Rows
from isthmus.errors import DataError

# A row group of no more float32 than this is read as a whole, a few columns at a time; a larger
# one row by row, and then each column keeps its pages open in every row group that is being read.
_WHOLE_BYTES = 192 * 2**20
_OPEN_COLUMNS = 300
_OPEN_MEGABYTES = 2
_READ_AHEAD = 16 * 2**20


@final
class ParquetReader(Reader):
    """A Parquet file, a block for each row group.

    Args:
        path: The file.
        selection: Its columns.
        classes: The label's values in class order, as an Arrow array, or None.
        whole_bytes: Size of a row group, as float32, up to which it is read at once.
    """

    def __init__(
        self,
        path: Path,
        selection: Selection,
        classes: Any = None,
        *,
        whole_bytes: int = _WHOLE_BYTES,
    ) -> None:
        import pyarrow.parquet as pq

        n_columns = len(selection.all)
        ahead = max(_READ_AHEAD // n_columns, 4096)
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=ahead)
        self._selection = selection
        self._classes = classes
        self.where = str(path)
        self.names = selection.names
        metadata = self._file.metadata
        self.rows = tuple(metadata.row_group(g).num_rows for g in range(metadata.num_row_groups))
        self._offsets = np.concatenate([[0], np.cumsum(self.rows)]).astype(int).tolist()
        row_bytes = 4 * len(selection.names)
        self._whole = max(self.rows) * row_bytes <= whole_bytes
        self.piece = max(self.rows) if self._whole else max(1, PIECE_BYTES // row_bytes)
        self.lanes = LANES if self._whole else min(LANES, max(1, _OPEN_COLUMNS // n_columns))

    def notes(self) -> tuple[str, ...]:
        """A line where the file's own make costs more memory than streaming should."""
        n = len(self._selection.all)
        if self._whole or n <= _OPEN_COLUMNS:
            return ()
        fitting = max(1, _WHOLE_BYTES // (4 * len(self.names)))
        return (
            f"row groups of {max(self.rows):,} rows and {n:,} columns take about "
            f"{n * _OPEN_MEGABYTES:,} MB to read; row_group_size={fitting} when writing avoids it",
        )

    def read(self, block: int, start: int) -> Iterator[Rows]:
        """The pieces of a row group; those before `start` are decoded and left."""
        import pyarrow as pa

        try:
            if self._whole:
                yield self._at_once(block)
            else:
                yield from self._in_pieces(block, start)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.where} cannot be read in row group {block}: {str(error).splitlines()[0]}; "
                "the file is damaged: write it again."
            ) from error
        finally:
            # Arrow's pool would else hold what other row groups took at their worst.
            pa.default_memory_pool().release_unused()

    def _at_once(self, block: int) -> Rows:
        n, offset, chosen = self.rows[block], self._offsets[block], self._selection
        x = torch.empty(n, len(chosen.names), dtype=torch.float32)
        at, few = 0, max(1, PIECE_BYTES // (8 * n))
        for first in range(0, len(chosen.columns), few):
            part = Selection(chosen.columns[first : first + few], (), None)
            table = self._file.read_row_group(block, columns=part.all)
            found = to_rows(table, part, None, self.where, offset).x
            x[:, at : at + found.shape[1]] = found
            at += found.shape[1]
        if chosen.label is None:
            return Rows(x, None)
        table = self._file.read_row_group(block, columns=[chosen.label])
        return Rows(x, to_labels(table.column(chosen.label), self._classes))

    def _in_pieces(self, block: int, start: int) -> Iterator[Rows]:
        batches = self._file.iter_batches(
            self.piece, row_groups=[block], columns=self._selection.all
        )
        first = 0
        for table in _exactly(batches, self.piece):
            if first >= start:
                offset = self._offsets[block] + first
                yield to_rows(table, self._selection, self._classes, self.where, offset)
            first += len(table)


def _exactly(batches: Iterable[Any], size: int) -> Iterator[Any]:
    """Tables of exactly `size` rows, but for the last."""
    import pyarrow as pa

    held: list[Any] = []
    n = 0
    for batch in batches:
        held.append(batch)
        n += len(batch)
        while n >= size:
            table = pa.Table.from_batches(held)
            yield table.slice(0, size)
            held, n = table.slice(size).to_batches(), n - size
    if n:
        yield pa.Table.from_batches(held)


@final
class NpyReader(Reader):
    """An array in a `.npy` file, in stretches that can be read in any order.

    The file is read, not mapped: mapped pages would count as this process's memory.

    Args:
        path: The file.
        mapped: The array as numpy maps it; its position, type and shape are used.
        image: Whether a datum is an image, to be brought to (C, H, W).
        labels: (N,) int64, or None.
    """

    def __init__(
        self, path: Path, mapped: np.memmap[Any, Any], *, image: bool, labels: Tensor | None = None
    ) -> None:
        self.where = str(path)
        self._path = path
        self._offset = mapped.offset
        self._dtype = mapped.dtype
        self._shape = mapped.shape[1:]
        self._image = image
        self._labels = labels
        self._row_items = int(np.prod(self._shape))
        self.piece = max(1, PIECE_BYTES // (4 * self._row_items))
        n = len(mapped)
        self.rows = tuple(min(self.piece, n - first) for first in range(0, n, self.piece))

    def read(self, block: int, start: int) -> Iterator[Rows]:
        """The one piece of a block."""
        first, n = block * self.piece, self.rows[block]
        offset = self._offset + first * self._row_items * self._dtype.itemsize
        items = np.fromfile(self._path, self._dtype, n * self._row_items, offset=offset)
        if len(items) < n * self._row_items:
            raise DataError(
                f"{self.where} ends before row {first + n}: the file is cut; write it again."
            )
        yield Rows(
            to_tensor(items.reshape(n, *self._shape), image=self._image),
            None if self._labels is None else self._labels[first : first + n],
        )


def to_tensor(array: np.ndarray, *, image: bool) -> Tensor:
    """An array as the rows of a source: bytes of images as they are, anything else float32.

    Args:
        array: (n, *shape).
        image: Whether to bring it to (n, C, H, W); otherwise to (n, width).
    """
    array = first_channel(array) if image else array.reshape(len(array), -1)
    if image and array.dtype == np.uint8:
        return torch.from_numpy(np.array(array, copy=True, order="C"))
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
