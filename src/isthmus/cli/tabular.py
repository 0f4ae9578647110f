"""Arrays and tables: `.npy`, Parquet and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from isthmus.cli.sinks import WRITERS, Layout, Sink


@final
@WRITERS.register(".npy")
class NpySink(Sink):
    """An array (N, *shape) of float32 or int64, written part by part: it may be larger than memory.

    It is not mapped: mapped pages would count as this process's memory.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._dtype = layout.dtype
        self._file = path.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(layout.dtype),
            "fortran_order": False,
            "shape": (layout.rows, *layout.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)

    def close(self) -> None:
        self._file.close()


def _table(layout: Layout, rows: np.ndarray, labels: Sequence[str] | None) -> Any:
    """Rows as an Arrow table, the label last."""
    import pyarrow as pa

    flat = np.asarray(rows, layout.dtype).reshape(len(rows), -1)
    columns = [pa.array(np.ascontiguousarray(flat[:, i])) for i in range(flat.shape[1])]
    if layout.labels:
        columns.append(pa.array(labels, pa.string()))
    return pa.Table.from_arrays(columns, schema=_schema(layout))


def _schema(layout: Layout) -> Any:
    import pyarrow as pa

    fields = [(name, pa.from_numpy_dtype(layout.dtype)) for name in layout.names]
    return pa.schema([*fields, *([("label", pa.string())] if layout.labels else [])])


@final
@WRITERS.register(".parquet", tables=True)
class ParquetSink(Sink):
    """A Parquet table, a row group for each part."""

    def __init__(self, path: Path, layout: Layout) -> None:
        import pyarrow.parquet as pq

        self._layout = layout
        self._writer = pq.ParquetWriter(path, _schema(layout))

    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        self._writer.write_table(_table(self._layout, rows, labels))

    def close(self) -> None:
        self._writer.close()


@final
@WRITERS.register(".csv", tables=True)
class CsvSink(Sink):
    """Comma-separated values with a line of names."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._file = path.open("wb")
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(_schema(layout).names)
        self._file.write(header.getvalue().encode())

    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        import pyarrow.csv as pc

        options = pc.WriteOptions(include_header=False, quoting_style="needed")
        pc.write_csv(_table(self._layout, rows, labels), self._file, options)

    def close(self) -> None:
        self._file.close()
