"""What every metric asks of its arrays before it counts on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError

Floats = NDArray[np.float64]


def as_rows(values: ArrayLike, what: str) -> Floats:
    """`values` as finite float64 rows.

    Args:
        values: (N, *D); a vector (N,) is read as one column.
        what: What they are, as the error calls them ("codes").

    Returns:
        (N, D) with the event flattened.

    Raises:
        DataError: There are no rows or no columns, or a value is NaN or infinite.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim == 0 or rows.size == 0:
        raise DataError(
            f"The {what} have shape {rows.shape}; at least one row and column are needed."
        )
    rows = rows.reshape(len(rows), -1)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise DataError(
            f"The {what} hold {rows[row, column]} in row {row}, column {column}; "
            "a metric needs finite numbers."
        )
    return rows


def same_length(first: Any, second: Any, what: str) -> None:
    """Raise a `DataError` unless both have equally many rows; `what` names the two."""
    if len(first) != len(second):
        raise DataError(
            f"The {what} have {len(first)} and {len(second)} rows; row n of one must belong to "
            "row n of the other."
        )
