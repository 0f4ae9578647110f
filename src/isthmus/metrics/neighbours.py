"""Do neighbours in the code stand for neighbours in the data, and the other way round?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import OptionError
from isthmus.metrics.checks import Floats, as_rows, same_length

BLOCK = 512


def trustworthiness(x: ArrayLike, z: ArrayLike, k: int = 5) -> float:
    """How far the neighbours in the code are neighbours in the data.

    T(k) = 1 - 2 / (N k (2N - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k), where U_k(i) holds
    those of the k nearest of z_i that are not among the k nearest of x_i, and r(i, j) is the rank
    of x_j by distance from x_i. Time is O(N² log N), memory O(N).

    Args:
        x: (N, *D) data.
        z: (N, *Z) their codes.
        k: The number of neighbours, less than N / 2.

    Returns:
        1 if no code has a false neighbour; about 0.5 for codes that know nothing of the data.

    Raises:
        DataError: The lengths differ, or a value is not finite.
        OptionError: `k` is not in 1 .. (N - 1) / 2.

    Reference:
        Venna and Kaski, Neighborhood preservation in nonlinear projection methods, ICANN 2001.
    """
    of_data, of_codes = _centred(x, z, k)
    return _without_intruders(of_data, of_codes, k)


def continuity(x: ArrayLike, z: ArrayLike, k: int = 5) -> float:
    """How far the neighbours in the data are neighbours in the code: trustworthiness reversed.

    Args:
        x: (N, *D) data.
        z: (N, *Z) their codes.
        k: The number of neighbours, less than N / 2.

    Returns:
        1 if no neighbour in the data is torn away in the code.

    Raises:
        DataError: The lengths differ, or a value is not finite.
        OptionError: `k` is not in 1 .. (N - 1) / 2.

    Reference:
        Venna and Kaski, Neighborhood preservation in nonlinear projection methods, ICANN 2001.
    """
    of_data, of_codes = _centred(x, z, k)
    return _without_intruders(of_codes, of_data, k)


def _centred(x: ArrayLike, z: ArrayLike, k: int) -> tuple[Floats, Floats]:
    """Both as checked rows about their means, where squared distances lose the fewest digits."""
    of_data, of_codes = as_rows(x, "data"), as_rows(z, "codes")
    same_length(of_data, of_codes, "data and codes")
    if not 1 <= k < len(of_data) / 2:
        raise OptionError(
            f"k is {k} neighbours of {len(of_data)} data; it must be at least 1 and less than half "
            "of them."
        )
    return of_data - of_data.mean(axis=0), of_codes - of_codes.mean(axis=0)


def _without_intruders(truth: Floats, shown: Floats, k: int) -> float:
    """1 if neighbours in `shown` all are neighbours in `truth`, less by the ranks they miss."""
    n, penalty = len(truth), 0
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        nearest = np.argsort(_distances(shown, rows), axis=1, kind="stable")[:, :k]
        ranks = np.take_along_axis(_ranks(_distances(truth, rows)), nearest, axis=1)
        penalty += int(np.maximum(ranks - k, 0).sum())
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


def _distances(points: Floats, rows: NDArray[np.int64]) -> Floats:
    """Squared distances (len(rows), N); a point stands infinitely far from itself."""
    norms = (points**2).sum(axis=1)
    squared = norms[rows, None] + norms - 2 * points[rows] @ points.T
    squared[np.arange(len(rows)), rows] = np.inf
    return np.asarray(squared)


def _ranks(distances: Floats) -> NDArray[np.int64]:
    """The rank of each column by distance, 1 for the nearest; equal ones in column order."""
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
    return ranks
