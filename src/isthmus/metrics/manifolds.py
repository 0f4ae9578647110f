"""How generated data cover real ones, by balls about data: precision, recall, density, coverage.

A datum's ball reaches to its k-th nearest neighbour of its own set. All four are quadratic in the
number of data, so at most `max_rows` of either set are used, drawn by the seed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats, as_rows

BLOCK = 1024


class Prdc(NamedTuple):
    """The four figures of `prdc`."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(
    real: ArrayLike, generated: ArrayLike, k: int = 5, seed: int = 0, max_rows: int = 5000
) -> Prdc:
    r"""Improved precision and recall, and density and coverage.

    With B(c) the closed ball about c that reaches to the k-th nearest neighbour of c in its own
    set, x of N real data and y of M generated ones:

    .. math::
        \text{precision} = \tfrac1M \sum_j 1[y_j \in \bigcup_i B(x_i)], \quad
        \text{recall} = \tfrac1N \sum_i 1[x_i \in \bigcup_j B(y_j)], \\
        \text{density} = \tfrac{1}{kM} \sum_j \sum_i 1[y_j \in B(x_i)], \quad
        \text{coverage} = \tfrac1N \sum_i 1[\exists j: y_j \in B(x_i)]

    Precision and density ask whether what is generated is plausible, recall and coverage whether
    nothing is left out; density and coverage are not misled by a lone outlier with a wide ball.

    Args:
        real: (N, *D) data, or features of them.
        generated: (M, *D) of the model, in the same space.
        k: The neighbour that a ball reaches to.
        seed: Draws the rows that are used.
        max_rows: The most rows of either set that are used.

    Returns:
        Between 0 and 1, density from 0 up; for two sets from one distribution, density is 1 in
        expectation and coverage 1 - 2^-k for many data.

    Raises:
        DataError: Different columns, or a value that is not finite.
        OptionError: A set has not more than `k` rows.

    Reference:
        Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models,
        1904.06991; Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models,
        2002.09797.
    """
    real, generated = as_rows(real, "real data"), as_rows(generated, "generated data")
    if real.shape[1] != generated.shape[1]:
        raise DataError(
            f"The real data have {real.shape[1]} columns and the generated ones "
            f"{generated.shape[1]}; both must lie in one space."
        )
    if not 1 <= k < min(len(real), len(generated)):
        raise OptionError(
            f"k is {k}, with {len(real)} real and {len(generated)} generated data; it must be at "
            "least 1 and less than either."
        )
    chance = np.random.RandomState(seed)
    x, y = (rows[chance.permutation(len(rows))[:max_rows]] for rows in (real, generated))
    reach_x, reach_y = _reaches(x, k), _reaches(y, k)
    inside = np.zeros(len(y), dtype=np.int64)
    recalled, covered = (np.zeros(len(x), dtype=bool) for _ in range(2))
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        distances = _distances(x[part], y)
        held: NDArray[np.bool_] = distances <= reach_x[part, None]
        inside += held.sum(0)
        covered[part] = held.any(1)
        recalled[part] = (distances <= reach_y).any(1)
    return Prdc(
        precision=float((inside > 0).mean()),
        recall=float(recalled.mean()),
        density=float(inside.mean() / k),
        coverage=float(covered.mean()),
    )


def _reaches(points: Floats, k: int) -> Floats:
    """The distance of each point to its k-th nearest other one."""
    reaches = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        part = slice(start, start + BLOCK)
        # The nearest of all is the point itself.
        reaches[part] = np.partition(_distances(points[part], points), k, axis=1)[:, k]
    return reaches


def _distances(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    distances: Floats = cdist(a, b)
    return distances
