"""A figure and how sure it is: standard errors, and intervals over repeats."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError, OptionError


class Estimate(NamedTuple):
    """A figure with the standard error of its estimation, both in the same unit."""

    value: float
    error: float


def _vector(values: ArrayLike) -> np.ndarray:
    vector = np.asarray(values, dtype=np.float64).reshape(-1)
    if vector.size == 0:
        raise DataError("There are no values to average; at least one is needed.")
    return vector


def standard_error(values: ArrayLike) -> float:
    """The standard error of a mean: the sample's standard deviation (ddof 1) / sqrt(N).

    Args:
        values: (N,) independent values.

    Returns:
        NaN for a single value, whose spread nobody knows.
    """
    vector = _vector(values)
    if vector.size == 1:
        return math.nan
    return float(vector.std(ddof=1) / math.sqrt(vector.size))


def mean_and_error(values: ArrayLike) -> Estimate:
    """The mean of `values` (N,) with its standard error."""
    return Estimate(float(_vector(values).mean()), standard_error(values))


def interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Student's confidence interval of a mean: mean ± t_{N-1} × standard error.

    Args:
        values: (N,) independent values, such as one figure per seed.
        level: How often the interval is to hold the true mean.

    Returns:
        Its low and high end; NaN for a single value.

    Raises:
        OptionError: `level` does not lie between 0 and 1.
    """
    from scipy.stats import t

    if not 0 < level < 1:
        raise OptionError(
            f"The confidence level is {level}; it must lie between 0 and 1, such as 0.95."
        )
    mean, error = mean_and_error(values)
    if math.isnan(error):
        return math.nan, math.nan
    reach = error * float(t.ppf((1 + level) / 2, len(_vector(values)) - 1))
    return mean - reach, mean + reach
