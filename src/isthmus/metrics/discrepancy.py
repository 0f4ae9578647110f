"""The maximum mean discrepancy of two samples, without bias and with an error."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.estimates import Estimate
from isthmus.registry import Registry

KERNELS = Registry("kernel")


@KERNELS.register("gaussian")
def gaussian(squared: Floats, width: float) -> Floats:
    """exp(−d² / width)."""
    return np.exp(-squared / width)


@KERNELS.register("inverse-multiquadratic")
def inverse_multiquadratic(squared: Floats, width: float) -> Floats:
    """Width / (width + d²), whose tails are heavier."""
    return width / (width + squared)


def mmd(
    first: ArrayLike,
    second: ArrayLike,
    kernel: str = "gaussian",
    seed: int = 0,
    max_rows: int = 2000,
) -> Estimate:
    r"""The squared maximum mean discrepancy, estimated without bias.

    .. math::
        \mathrm{MMD}^2 = \frac1{N(N-1)}\sum_{i \ne j} k(x_i, x_j)
        + \frac1{M(M-1)}\sum_{i \ne j} k(y_i, y_j) - \frac2{NM}\sum_{i,j} k(x_i, y_j)

    The width of the kernel is the median squared distance between two of all rows.

    Args:
        first: (N, *D).
        second: (M, *D).
        kernel: "gaussian" or "inverse-multiquadratic".
        seed: Draws the `max_rows` rows of either set that are used where there are more.
        max_rows: The most rows of either set; time and memory are quadratic in it.

    Returns:
        0 in expectation where the distributions are one, also below by chance; with a
        jackknife's standard error over rows of both sets.

    Raises:
        DataError: Fewer than three rows of either, different columns, or a value that is not
            finite.
        UnknownNameError: There is no such kernel.

    Reference:
        Gretton et al., A Kernel Two-Sample Test, JMLR 13, 2012.
    """
    from scipy.spatial.distance import cdist

    x, y = as_rows(first, "first sample"), as_rows(second, "second sample")
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < 3:
        raise DataError(
            f"The samples are {x.shape} and {y.shape}; expected at least three rows of each and "
            "equally many columns."
        )
    chance = np.random.RandomState(seed)
    x, y = (rows[chance.permutation(len(rows))[:max_rows]] for rows in (x, y))
    both = np.concatenate([x, y])
    squared = cdist(both, both, "sqeuclidean")
    width = float(np.median(squared[np.triu_indices(len(both), 1)]))
    values = KERNELS[kernel].factory(squared, width if width > 0 else 1.0)
    n = len(x)
    return _unbiased(values[:n, :n], values[n:, n:], values[:n, n:])


def _unbiased(within: Floats, other: Floats, across: Floats) -> Estimate:
    n, m = across.shape
    of_x, of_y = within.sum(1) - within.diagonal(), other.sum(1) - other.diagonal()
    x, y, between = of_x.sum(), of_y.sum(), across.sum()
    value = x / (n * (n - 1)) + y / (m * (m - 1)) - 2 * between / (n * m)
    # What the estimate would be without each row in turn.
    left_x = (
        (x - 2 * of_x) / ((n - 1) * (n - 2))
        + y / (m * (m - 1))
        - 2 * (between - across.sum(1)) / ((n - 1) * m)
    )
    left_y = (
        x / (n * (n - 1))
        + (y - 2 * of_y) / ((m - 1) * (m - 2))
        - 2 * (between - across.sum(0)) / (n * (m - 1))
    )
    variance = (n - 1) * left_x.var() + (m - 1) * left_y.var()
    return Estimate(float(value), math.sqrt(variance))
