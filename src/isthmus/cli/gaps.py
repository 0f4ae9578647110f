"""Files with gaps: read as they are, and written with nothing but the gaps changed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from isthmus.cli.given import column_names
from isthmus.cli.remembered import TABLES
from isthmus.cli.writers import Target
from isthmus.data.images import CHANNELS
from isthmus.errors import OptionError, UnsupportedError
from isthmus.fitting import Run

WRITTEN = (".csv", ".parquet", ".npy")
# Rows of a table that are written at a time.
READ = 65536


@final
class Filled(NamedTuple):
    """Data of a run with their gaps filled in.

    Args:
        absent: (N, *D) bool, where something was missing.
        values: (N, *D) float32 in the data's own units; only those at the gaps count.
    """

    absent: np.ndarray
    values: np.ndarray


def targets(output: str, overwrite: bool, draws: int | None) -> list[Target]:
    """What is written: one file, or one for each draw.

    Raises:
        OptionError: It is no table or array, or there is one already.
    """
    path = Path(output)
    names = [path]
    if draws is not None and draws > 1:
        names = [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, draws + 1)]
    found = [Target.at(str(name), overwrite) for name in names]
    if found[0].kind not in WRITTEN:
        raise OptionError(f"{output}: filled data go to a file of {', '.join(WRITTEN)}.")
    return found


def check(run: Run, data: str) -> None:
    """Refuse a run that cannot read gaps, and data that are no file of a table or array.

    Raises:
        UnsupportedError: The run learned from complete data.
        OptionError: The data are something else.
    """
    if not run.spec.missing:
        raise UnsupportedError(
            f"{run.folder} learned from complete data and cannot read gaps: train on data with "
            "gaps, isthmus fit DATA --recipe miwae-imputation."
        )
    if not data.lower().endswith((*TABLES, ".npy")):
        raise OptionError(f"{data}: gaps are filled in a file of {', '.join((*TABLES, '.npy'))}.")


def write(data: str, filled: Filled, run: Run, target: Target) -> None:
    """Write the file `data` again, with its gaps filled.

    Raises:
        OptionError: Images were to be written as a table, or were resized; or a column of lists.
    """
    if data.lower().endswith(".npy"):
        _write_array(_fill_array(np.load(data, allow_pickle=False), filled, run), run, target)
        return
    table = _read_table(data, text=target.kind == ".csv")
    names = [column.name for column in run.spec.columns]
    for name in names:
        if name not in table.column_names:
            raise OptionError(
                f"{data}: {name!r} stands in a column of lists, which is not filled in: give the "
                "data as .npy, or a column for each number."
            )
    for i, name in enumerate(names):
        place = table.column_names.index(name)
        column = _fill_column(table.column(place), filled.absent[:, i], filled.values[:, i])
        table = table.set_column(place, name, column)
    _write_table(table, names, target)


def _read_table(data: str, *, text: bool) -> Any:
    """The whole table; the cells of a text file as they are written there where `text` is asked."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    if data.lower().endswith(".parquet"):
        return pq.read_table(data)
    path = Path(data)
    names = column_names(path)
    numbered = names == [str(i) for i in range(len(names))]
    types = {name: pa.string() for name in names} if text else {}
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(column_names=names, skip_rows=0 if numbered else 1),
        parse_options=pc.ParseOptions(delimiter="\t" if ".tsv" in path.suffixes else ","),
        convert_options=pc.ConvertOptions(column_types=types, strings_can_be_null=not text),
    )


def _fill_column(column: Any, absent: np.ndarray, values: np.ndarray) -> Any:
    """One column of a table with its gaps filled; any other cell keeps its value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not absent.any():
        return column
    kind = column.type
    if pa.types.is_string(kind):
        fill = pa.array([str(v) for v in values], kind)
    else:
        kind = kind if pa.types.is_floating(kind) else pa.float64()
        fill = pa.array(values).cast(kind)
        column = column.cast(kind)
    return pc.if_else(pa.array(absent), fill, column)


def _write_table(table: Any, names: Sequence[str], target: Target) -> None:
    import pyarrow.parquet as pq

    with target.replacing() as path:
        if target.kind == ".parquet":
            pq.write_table(table, path)
        elif target.kind == ".csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(table.column_names)
                for batch in table.to_batches(READ):
                    rows.writerows(zip(*(c.to_pylist() for c in batch.columns), strict=True))
        else:
            columns = [np.asarray(table.column(name), np.float64) for name in names]
            _save(np.stack(columns, 1), path)


def _fill_array(array: np.ndarray, filled: Filled, run: Run) -> np.ndarray:
    """An array with its gaps filled, in its own layout and type."""
    absent, values = filled
    columns: Any = slice(None)
    if run.spec.kind == "image":
        if array.ndim == 3:
            absent, values = absent[:, 0], values[:, 0]
        elif array.shape[3] in CHANNELS:
            absent, values = np.moveaxis(absent, 1, -1), np.moveaxis(values, 1, -1)
        if absent.shape != array.shape:
            raise OptionError("Images that are resized for the run cannot be filled in.")
    elif array.shape[1:] != absent.shape[1:] and array.ndim == 2:
        columns = [int(column.name) for column in run.spec.columns]
    done = array.copy()
    part = done[:, columns]
    done[:, columns] = np.where(absent.reshape(part.shape), values.reshape(part.shape), part)
    return done


def _write_array(array: np.ndarray, run: Run, target: Target) -> None:
    import pyarrow as pa

    if target.kind == ".npy":
        with target.replacing() as path:
            _save(array, path)
        return
    if array.ndim != 2:
        raise OptionError(f"{target.path}: images are no rows of a table; give -o the suffix .npy.")
    names = [f"x{i}" for i in range(array.shape[1])]
    _write_table(pa.table(list(array.T), names=names), names, target)


def _save(array: np.ndarray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array)
