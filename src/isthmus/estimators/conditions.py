"""What rows are conditioned on, as scikit-learn's users hold it: columns, or labels with -1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from isthmus.data import Resident, Sparse
from isthmus.data.condition import attach
from isthmus.data.labels import class_name
from isthmus.data.request import LABEL, Request
from isthmus.data.spec import ConditionColumn
from isthmus.errors import DataError, OptionError
from isthmus.registry import did_you_mean

UNKNOWN = -1


def conditioned(source: Resident | Sparse, condition: Any) -> Resident | Sparse:
    """The source with a condition (N,) or (N, columns): text as categories, numbers standardised.

    Raises:
        DataError: There is not one row for each datum, or a value is missing.
    """
    names = getattr(condition, "columns", None)
    if names is not None:
        columns = {str(name): np.asarray(condition[name]) for name in names}
        found = attach(source, Request(condition=tuple(columns)), columns)
        return cast(Resident | Sparse, found)
    return cast(Resident | Sparse, attach(source, Request(condition=np.asarray(condition))))


def labelled(
    source: Resident | Sparse, y: Any, recipe: str
) -> tuple[Resident | Sparse, NDArray[Any]]:
    """The source conditioned on labels, of which some may be unknown, and the classes.

    Args:
        source: N data.
        y: (N,) of any type; -1, None and NaN are unknown.
        recipe: Who asks.

    Raises:
        DataError: There is not one label for each datum.
        OptionError: Fewer than two classes are known.
    """
    if y is None:
        raise OptionError(
            f"The recipe {recipe!r} learns labels and got none: call fit(X, y), with y = -1 where "
            "the label is not known."
        )
    labels = np.asarray(y)
    if labels.shape != (len(source),):
        raise DataError(
            f"y has shape {labels.shape} and X {len(source)} rows: give one label for each, -1 "
            "where it is not known."
        )
    known = np.array([not _is_unknown(label) for label in labels])
    classes, index = np.unique(labels[known], return_inverse=True)
    if len(classes) < 2:
        raise OptionError(
            f"The recipe {recipe!r} needs labels of at least two classes, and y has "
            f"{len(classes)}: label some rows of each (-1 stands for unknown)."
        )
    codes = torch.zeros(len(source), len(classes))
    codes[torch.from_numpy(known)] = F.one_hot(torch.from_numpy(index), len(classes)).float()
    column = ConditionColumn(LABEL, tuple(class_name(c) for c in classes.tolist()))
    source.spec = replace(source.spec, condition=(column,))
    source.condition = codes
    return source, classes


def coded(
    condition: Any, columns: Sequence[ConditionColumn], rows: int, *, unknown: bool
) -> Tensor:
    """A condition as the model reads it, (N, C).

    Args:
        condition: One value for all rows, (N,), (N, columns) in the order of the training, or a
            frame that has the columns of the training among its own.
        columns: What the model was trained on.
        rows: N.
        unknown: Whether a category may be: -1, None or NaN.

    Raises:
        DataError: It has another shape, lacks a column, or a value is missing.
        OptionError: The model is not conditioned on anything.
        UnknownNameError: A category that the model does not know.
    """
    if not columns:
        raise OptionError("This model is not conditioned on anything: leave condition= out.")
    values = _by_name(condition, columns)
    table = values.reshape(1, -1) if values.ndim == 0 else values.reshape(len(values), -1)
    if table.shape[1] != len(columns) or len(table) not in (1, rows):
        names = ", ".join(column.name for column in columns)
        raise DataError(
            f"The condition has shape {values.shape} and there are {rows} rows conditioned on "
            f"{names}: give one value of each for every row, or one for all."
        )
    parts = [_column(table[:, i], column, unknown) for i, column in enumerate(columns)]
    return torch.cat(parts, 1).expand(rows, -1)


def _by_name(condition: Any, columns: Sequence[ConditionColumn]) -> NDArray[Any]:
    """The values, of a frame those of the columns of the training and in their order."""
    held = {str(name): name for name in getattr(condition, "columns", ())}
    wanted = [column.name for column in columns]
    # A model that was told values without names takes a frame by place.
    if held.keys().isdisjoint(wanted):
        return np.asarray(condition, dtype=object)
    if missing := [name for name in wanted if name not in held]:
        raise DataError(
            f"The condition has no column {missing[0]!r}: give a frame with {', '.join(wanted)}."
        )
    picked = [np.asarray(condition[held[name]], dtype=object) for name in wanted]
    return np.stack(picked, 1)


def _column(values: NDArray[Any], column: ConditionColumn, unknown: bool) -> Tensor:
    if not column.categories:
        numbers = (values.astype(np.float64) - column.shift) / column.scale
        if not np.isfinite(numbers).all():
            raise DataError(
                f"A number of the condition {column.name} is missing or infinite: give one for "
                "every row."
            )
        return torch.from_numpy(numbers)[:, None]
    codes = torch.zeros(len(values), len(column.categories), dtype=torch.float64)
    for row, value in enumerate(values):
        name = class_name(value)
        if name in column.categories:
            codes[row, column.categories.index(name)] = 1.0
        elif not _is_unknown(value):
            raise did_you_mean(f"value of {column.name}", name, column.categories)
        elif not unknown:
            raise DataError(
                f"The condition {column.name} is unknown ({value}) for some rows, and this model "
                f"learned it for every one: give one of {', '.join(column.categories[:10])}."
            )
    return codes


def _is_unknown(value: Any) -> bool:
    return value is None or value != value or (not isinstance(value, str) and value == UNKNOWN)
