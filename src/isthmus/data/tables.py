"""Tables: CSV, Parquet and data frames, all through Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data.arrays import resident_table
from isthmus.data.arrow import (
    bad_columns,
    class_names,
    classes_of,
    element,
    refuse_text,
    select,
    to_rows,
)
from isthmus.data.checks import check_rows, rounding_note
from isthmus.data.condition import attach, split_columns
from isthmus.data.formats import FILES, unreadable
from isthmus.data.labels import encode_labels
from isthmus.data.readers import ParquetReader
from isthmus.data.request import Request
from isthmus.data.source import Source
from isthmus.data.spec import Column, DataSpec
from isthmus.data.streamed import Streamed, join
from isthmus.errors import DataError

_TABLE_OPTIONS = ("label", "columns", "drop")


@FILES.register(".csv", takes=_TABLE_OPTIONS)
def load_csv(path: Path, request: Request) -> Source:
    """A table of comma-separated values with a line of names."""
    return _delimited(path, request, ",")


@FILES.register(".csv.gz", takes=_TABLE_OPTIONS)
def load_csv_gz(path: Path, request: Request) -> Source:
    """A compressed table of comma-separated values."""
    return _delimited(path, request, ",")


@FILES.register(".tsv", takes=_TABLE_OPTIONS)
def load_tsv(path: Path, request: Request) -> Source:
    """A table of values separated by tabs."""
    return _delimited(path, request, "\t")


def _delimited(path: Path, request: Request, delimiter: str) -> Source:
    import pyarrow as pa
    import pyarrow.csv as csv

    if path.stat().st_size > 4 * request.max_bytes:
        raise DataError(
            f"{path} is too large to be read at once ({path.stat().st_size:,} bytes); write it as "
            "Parquet, which is streamed."
        )

    def read(**options: Any) -> Any:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(**options),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(strings_can_be_null=True),
        )

    try:
        table = read()
        headless = _are_values(table.column_names)
        if headless:
            table = read(autogenerate_column_names=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError, EOFError) as error:
        raise unreadable(path, "CSV", error) from error
    _refuse_other_separators(path, table.column_names, delimiter)
    notes = []
    if headless:
        table = table.rename_columns([str(i) for i in range(table.num_columns)])
        notes.append("the first line holds numbers, so the columns are called by their number")
    table, numbered = _without_row_numbers(table, request)
    name = replace(request, name=request.name or path.name.split(".")[0])
    return from_arrow(table, name, str(path), (*notes, *numbered))


def _refuse_other_separators(path: Path, names: Sequence[str], delimiter: str) -> None:
    for other in (";", "\t", "|", ","):
        if len(names) == 1 and other != delimiter and other in names[0]:
            raise DataError(
                f"{path} separates its columns by {other!r} and not by {delimiter!r}, as the line "
                "of names shows; write it as .csv with commas, as .tsv with tabs, or as .parquet."
            )


def _are_values(names: Sequence[str]) -> bool:
    """Whether a first line holds numbers and no names; 0, 1, 2, ... are names, as pandas gives."""
    counted = len(names) > 2 and list(names) == [str(i) for i in range(len(names))]
    return bool(names) and not counted and all(map(_is_numeral, names))


def _is_numeral(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _without_row_numbers(table: Any, request: Request) -> tuple[Any, tuple[str, ...]]:
    """The table without a nameless first column that counts the rows, as pandas writes one."""
    import pyarrow.types as types

    first = table.column_names[0] if table.num_columns > 1 else "-"
    if (
        first not in ("", "Unnamed: 0")
        or request.columns
        or not types.is_integer(table.field(0).type)
    ):
        return table, ()
    if not np.array_equal(table.column(0).to_numpy(), np.arange(len(table))):
        return table, ()
    return table.remove_column(0), ("the first column, which only counts the rows, was left out",)


def from_arrow(table: Any, request: Request, where: str, notes: tuple[str, ...] = ()) -> Source:
    """A source from an Arrow table in memory.

    Args:
        table: pyarrow.Table.
        request: `label`, `labels`, `columns`, `drop`, `kind`, `support` and `name` count.
        where: What the data are called.
        notes: What was handled before.

    Raises:
        DataError: A column holds something else than numbers, or a value is missing.
    """
    check_rows(len(table), where, request.min_rows)
    selection = select(table.schema, request, where)
    _check_numbers(table.schema, selection, lambda c: table.column(c), where)
    classes = None
    if selection.label is not None:
        classes = classes_of([table.column(selection.label)], selection.label, where)
    x, labels = to_rows(table, selection, classes, where)
    names = class_names(classes) if classes is not None else ()
    if request.labels is not None:
        labels, names = encode_labels(request.labels, len(x), where)
    blurred = rounding_note(
        x, lambda at: element(table.column, selection, at, where), selection.names
    )
    said = (*notes, *blurred)
    source = resident_table(
        x, request, where, names=selection.names, labels=labels, classes=names, notes=said
    )
    return attach(source, request, _condition_columns(table, request))


def _condition_columns(table: Any, request: Request) -> dict[str, np.ndarray]:
    """The columns of an Arrow table that the others are conditioned on, by name."""
    return {name: np.asarray(table.column(name).to_numpy()) for name in request.condition_columns}


def _check_numbers(schema: Any, selection: Any, column: Callable[[str], Any], where: str) -> None:
    bad = bad_columns(schema, selection)
    if bad:
        raise refuse_text(column(bad[0]), bad[0], len(bad) - 1, where)


@FILES.register(".parquet", takes=_TABLE_OPTIONS)
def load_parquet(path: Path, request: Request) -> Source:
    """A Parquet table; beyond `max_bytes` as float32 it is streamed by row group.

    Raises:
        DataError: It is no readable Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, "Parquet", error) from error
    where, n = str(path), file.metadata.num_rows
    check_rows(n, where, request.min_rows)
    selection = select(schema, request, where)
    if n * len(selection.names) * 4 > request.max_bytes:
        # A streamed table carries the condition's columns beside the others.
        conditions = [c for c in request.condition_columns if c not in selection.columns]
        selection = replace(
            selection,
            columns=(*selection.columns, *conditions),
            names=(*selection.names, *conditions),
        )
    groups = [g for g in range(file.num_row_groups) if file.metadata.row_group(g).num_rows]

    def first(name: str) -> Any:
        return next(file.iter_batches(4096, row_groups=groups[:1], columns=[name])).column(0)

    try:
        _check_numbers(schema, selection, first, where)
        classes = None
        if selection.label is not None:
            batches = file.iter_batches(65536, columns=[selection.label])
            classes = classes_of((b.column(0) for b in batches), selection.label, where)
        source = _parquet_source(path, request, selection, classes, n)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, "Parquet", error) from error
    return source


def _parquet_source(path: Path, request: Request, selection: Any, classes: Any, n: int) -> Source:
    reader = ParquetReader(path, selection, classes)
    names = class_names(classes) if classes is not None else ()
    named = replace(request, name=request.name or path.stem)
    if n * len(selection.names) * 4 <= request.max_bytes:
        parts = [rows for block in range(len(reader.rows)) for rows in reader.read(block, 0)]
        x, labels = join(parts)
        if request.labels is not None:
            labels, names = encode_labels(request.labels, n, str(path))
        blurred = rounding_note(
            x, lambda at: element(_column_of(path), selection, at, str(path)), selection.names
        )
        source = resident_table(
            x,
            named,
            str(path),
            names=selection.names,
            labels=labels,
            classes=names,
            notes=blurred,
        )
        return attach(source, request, _read_conditions(path, request))
    request.allow("a Parquet file that is streamed", _TABLE_OPTIONS)
    if request.labels is not None:
        raise DataError(
            f"{path} is streamed: its labels have to be a column of it, given as label=."
        )
    spec = DataSpec(
        request.kind or "table",
        (len(selection.names),),
        request.support or ("count" if request.kind == "counts" else "real"),
        n,
        named.name or path.stem,
        columns=tuple(Column(c) for c in selection.names),
        classes=names,
    )
    streamed = Streamed(reader, spec, notes=reader.notes())
    if not request.condition_columns:
        return streamed
    return split_columns(streamed, request.condition_names)


def _column_of(path: Path) -> Callable[[str], Any]:
    import pyarrow.parquet as pq

    return lambda name: pq.read_table(path, columns=[name]).column(0)


def _read_conditions(path: Path, request: Request) -> dict[str, np.ndarray]:
    import pyarrow.parquet as pq

    if not request.condition_columns:
        return {}
    table = pq.read_table(path, columns=list(request.condition_columns))
    return _condition_columns(table, request)
