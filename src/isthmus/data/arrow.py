"""Tables as Arrow knows them: which columns are numbers, and batches of them as rows of float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data.labels import check_classes, class_name
from isthmus.data.request import Request
from isthmus.data.streamed import Rows
from isthmus.errors import DataError
from isthmus.registry import did_you_mean


@dataclass(frozen=True)
class Selection:
    """The columns that become x, in order, and the one that becomes the label.

    Args:
        columns: Names of the file's columns.
        names: Of the elements of a row; a column of lists of length n has n of them.
        label: Name of the label column, or None.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    label: str | None

    @property
    def all(self) -> list[str]:
        """Every column that has to be read."""
        return [*self.columns, *([self.label] if self.label else [])]


def is_number(kind: Any) -> bool:
    """Whether an Arrow type stands for numbers or truth values."""
    import pyarrow.types as types

    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def select(schema: Any, request: Request, where: str) -> Selection:
    """Choose the columns of a table as asked.

    Raises:
        DataError: There are no columns, or two of the same name.
        UnknownNameError: A column that was asked for is not there.
    """
    known = list(schema.names)
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise DataError(f"{where} has more than one column called {twice[0]!r}; rename one.")
    asked = [str(c) for c in request.columns or ()]
    dropped = [str(c) for c in request.drop]
    conditions = request.condition_columns
    label = [request.label] if request.label is not None else []
    for name in [*asked, *dropped, *conditions, *label]:
        if name not in known:
            raise did_you_mean(f"column of {where}:", name, known)
    out = {*dropped, *conditions, request.label}
    columns = tuple(c for c in (asked or known) if c not in out)
    if not columns:
        raise DataError(f"{where} has no columns to learn from; expected at least one of numbers.")
    names = [n for c in columns for n in _element_names(c, schema.field(c).type)]
    return Selection(columns, tuple(names), request.label)


def _element_names(column: str, kind: Any) -> list[str]:
    import pyarrow.types as types

    if types.is_fixed_size_list(kind):
        return [f"{column}[{i}]" for i in range(kind.list_size)]
    return [column]


def bad_columns(schema: Any, selection: Selection) -> list[str]:
    """The chosen columns that hold no numbers."""
    import pyarrow.types as types

    kinds = {c: schema.field(c).type for c in selection.columns}
    values = {c: k.value_type if types.is_fixed_size_list(k) else k for c, k in kinds.items()}
    return [c for c, k in values.items() if not is_number(k) and not types.is_null(k)]


def refuse_text(column: Any, name: str, others: int, where: str) -> DataError:
    """The error for a column (an Arrow array) where numbers belong, with the first other value."""
    values = ((row, scalar.as_py()) for row, scalar in enumerate(column))
    row, value = next((at for at in values if not _reads_as_number(at[1])), (0, "text"))
    more = f" ({others} more columns like it)" if others else ""
    # As the file has it: a date by its digits, a text in quotes.
    shown = repr(value if isinstance(value, str) else str(value))
    return DataError(
        f"{where}: column {name!r} holds {shown} in row {row} (from 0), where numbers "
        f"belong{more}; leave the column out (drop, columns) or make it the label (label)."
    )


def _reads_as_number(value: Any) -> bool:
    try:
        float(value or 0)
    except (TypeError, ValueError):
        return False
    return True


def to_numpy(column: Any, where: str, name: str, first: int) -> np.ndarray:
    """One Arrow column as (n,) or (n, width) numbers, NaN where one is missing.

    Raises:
        DataError: A whole list is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_fixed_size_list(column.type):
        if column.null_count:
            row = first + pc.index(pc.is_null(column), True).as_py()
            raise DataError(
                f"{where}: the list in row {row} (from 0), column {name!r}, is missing "
                f"({column.null_count} in all); fill or remove it."
            )
        width, rows = column.type.list_size, len(column)
        return to_numpy(column.flatten(), where, name, first).reshape(rows, width)
    if column.null_count or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


def to_rows(batch: Any, selection: Selection, classes: Any, where: str, first: int = 0) -> Rows:
    """A record batch as float32 rows and label indices.

    Args:
        batch: With the columns of the selection.
        selection: Which columns.
        classes: Arrow array of the label's values in class order, or None.
        where: What the data are called.
        first: Number of its first row in the file.
    """
    arrays = [to_numpy(_flat(batch.column(c)), where, c, first) for c in selection.columns]
    with np.errstate(over="ignore"):
        x = np.concatenate(
            [a.reshape(len(a), -1) for a in arrays], axis=1, dtype=np.float32, casting="unsafe"
        )
    label = selection.label
    labels = None if label is None else to_labels(batch.column(label), classes)
    return Rows(torch.from_numpy(x), labels)


def element(column: Callable[[str], Any], selection: Selection, at: int, where: str) -> np.ndarray:
    """The numbers (N,) of element `at` of the rows, as the table has them.

    Args:
        column: Name -> Arrow column.
        selection: Which columns.
        at: Number of the element; a column of lists has several.
        where: What the data are called.
    """
    name = selection.names[at]
    if name in selection.columns:
        return to_numpy(_flat(column(name)), where, name, 0)
    name, _, place = name.rpartition("[")
    return np.asarray(to_numpy(_flat(column(name)), where, name, 0)[:, int(place[:-1])])


def to_labels(column: Any, classes: Any) -> Tensor:
    """The class indices (n,) int64 of an Arrow column."""
    import pyarrow.compute as pc

    index = pc.index_in(_flat(column), value_set=classes)
    return torch.from_numpy(np.array(index.to_numpy(zero_copy_only=False), np.int64))


def _flat(column: Any) -> Any:
    """One array of a column; dictionary codes become their values."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def classes_of(columns: Iterable[Any], name: str, where: str) -> Any:
    """The different values of a label column, sorted.

    Args:
        columns: Arrow columns, one for each stretch of the file.
        name: Of the column.
        where: What the data are called.

    Returns:
        An Arrow array.

    Raises:
        DataError: A label is missing, or there are too many values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Any = None
    row = 0
    for column in columns:
        flat = _flat(column)
        missing = pc.is_null(flat, nan_is_null=True)
        if pc.any(missing).as_py():
            place = row + pc.index(missing, True).as_py()
            raise DataError(
                f"{where}: the label in row {place} (from 0), column {name!r}, is missing; fill "
                "it, or load without "
                "the label."
            )
        row += len(flat)
        seen = pc.unique(flat)
        found = seen if found is None else pc.unique(pa.concat_arrays([found, seen]))
        check_classes(len(found), where)
    return found.take(pc.sort_indices(found))


def class_names(classes: Any) -> tuple[str, ...]:
    """The values of an Arrow array as text."""
    return tuple(class_name(v) for v in classes.to_pylist())
