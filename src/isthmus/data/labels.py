"""Labels of any type as class indices and class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import DataError

MAXIMUM_CLASSES = 10_000


def class_name(value: Any) -> str:
    """A label as text; whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def check_classes(n: int, where: str) -> None:
    """Raise a `DataError` where the labels are too many to be classes."""
    if n > MAXIMUM_CLASSES:
        raise DataError(
            f"{where}: the labels have {n:,} different values, more than {MAXIMUM_CLASSES:,}; "
            "that is no class "
            "label: leave it out."
        )


def encode_labels(
    values: Any, rows: int, where: str, classes: Sequence[str] = ()
) -> tuple[Tensor, tuple[str, ...]]:
    """Class indices and the names of the classes, in sorted order.

    Args:
        values: (rows,) of whole numbers, truth values, floats or text.
        rows: How many there have to be.
        where: What the data are called.
        classes: Names of the values 0, 1, ... where they are known; then these stay the indices.

    Returns:
        (rows,) int64, and the names.

    Raises:
        DataError: There is not one label per row, or one is missing.
    """
    labels = np.asarray(values)
    if labels.shape != (rows,) and labels.shape != (rows, 1):
        raise DataError(
            f"{where} has {rows} rows but labels of shape {labels.shape}; give one label for each "
            f"row, shape ({rows},)."
        )
    labels = labels.reshape(-1)
    if labels.dtype.kind not in "biufUS":
        missing = [i for i, v in enumerate(labels) if v is None or v != v]
        labels = np.array([class_name(v) for v in labels])
    else:
        missing = np.nonzero(np.isnan(labels))[0].tolist() if labels.dtype.kind == "f" else []
    if missing:
        raise DataError(
            f"{where}: the label of row {missing[0]} (from 0) is missing ({len(missing)} in all); "
            "fill it, or load without labels."
        )
    if classes and labels.dtype.kind in "iu" and 0 <= labels.min() <= labels.max() < len(classes):
        return torch.from_numpy(labels.astype(np.int64)), tuple(classes)
    names, index = np.unique(labels, return_inverse=True)
    check_classes(len(names), where)
    found = tuple(class_name(v.decode() if isinstance(v, bytes) else v) for v in names.tolist())
    return torch.from_numpy(index.astype(np.int64)), found
