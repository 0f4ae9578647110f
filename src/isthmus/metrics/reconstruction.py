"""How near a reconstruction comes to its data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows


def _pair(x: ArrayLike, x_hat: ArrayLike) -> tuple[Floats, Floats]:
    if np.shape(x) != np.shape(x_hat):
        raise DataError(
            f"The reconstruction has shape {np.shape(x_hat)} and the data have {np.shape(x)}; "
            "they must be equal."
        )
    return as_rows(x, "data"), as_rows(x_hat, "reconstructions")


def r2(x: ArrayLike, x_hat: ArrayLike, per_column: bool = False) -> float:
    """The share of the data's variance that the reconstruction keeps.

    R² = 1 - sum (x - x_hat)² / sum (x - mean(x))², with one mean per column and both sums over
    all elements: columns count by their variance. Constant data give 1 if they are
    met exactly, else 0.

    Args:
        x: (N, *D) data.
        x_hat: (N, *D) their reconstructions.
        per_column: Instead, the plain mean of each column's own R², over the columns that vary.

    Returns:
        1 for a perfect reconstruction, 0 for the column means, negative for worse than those.

    Raises:
        DataError: The shapes differ, or a value is not finite.
    """
    x, x_hat = _pair(x, x_hat)
    errors = ((x - x_hat) ** 2).sum(axis=0)
    spread = ((x - x.mean(axis=0)) ** 2).sum(axis=0)
    # The mean of a constant column may be off by a rounding, so its spread need not be zero.
    varies = x.min(axis=0) < x.max(axis=0)
    if not varies.any():
        return 1.0 if errors.sum() == 0 else 0.0
    if per_column:
        return float((1 - errors[varies] / spread[varies]).mean())
    return float(1 - errors.sum() / spread[varies].sum())


def rmse(x: ArrayLike, x_hat: ArrayLike) -> float:
    """The root of the mean squared error over all elements, in the data's own unit.

    Args:
        x: (N, *D) data.
        x_hat: (N, *D) their reconstructions.

    Raises:
        DataError: The shapes differ, or a value is not finite.
    """
    x, x_hat = _pair(x, x_hat)
    return float(np.sqrt(((x - x_hat) ** 2).mean()))


def mae(x: ArrayLike, x_hat: ArrayLike) -> float:
    """The mean absolute error over all elements, in the data's own unit.

    Args:
        x: (N, *D) data.
        x_hat: (N, *D) their reconstructions.

    Raises:
        DataError: The shapes differ, or a value is not finite.
    """
    x, x_hat = _pair(x, x_hat)
    return float(np.abs(x - x_hat).mean())
