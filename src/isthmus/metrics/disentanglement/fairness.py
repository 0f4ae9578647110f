"""Whether predictions of one factor depend on another that should not matter."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.boosting import Boosting
from isthmus.metrics.disentanglement.inputs import TRAIN
from isthmus.metrics.disentanglement.interventions import Grid


@final
class Unfairness(NamedTuple):
    """Total variation distances (0 to 1), lower is fairer.

    Args:
        mean: Over all pairs, of the mean over values of the sensitive factor.
        most: Over all pairs, of the largest over values of the sensitive factor.
        mean_matrix: (F, F) the means, predicted factor by sensitive factor; NaN on the diagonal.
        most_matrix: (F, F) the largest ones.
    """

    mean: float
    most: float
    mean_matrix: Floats
    most_matrix: Floats


def total_variation(counts: ArrayLike) -> tuple[float, float]:
    """How far the predictions of each group are from those of all.

    Args:
        counts: (predicted classes, groups), each group with at least one prediction.

    Returns:
        Mean, weighted by the size of the groups, and largest total variation distance.
    """
    c = np.asarray(counts, dtype=np.float64)
    sizes = c.sum(0)
    distances = 0.5 * np.abs(c / sizes - c.sum(1, keepdims=True) / c.sum()).sum(0)
    return float(np.average(distances, weights=sizes)), float(distances.max())


def unfairness(grid: Grid, *, seed: int, train: int = TRAIN, points: int = 100) -> Unfairness:
    """How much predictions of each factor move when another one is set to each of its values.

    The same `points` data are asked for with the sensitive factor set to each value, so that a
    prediction that does not depend on it comes to exactly 0. The predictor is gradient boosting.

    Args:
        grid: `Grid.of(codes, factors)` of a full grid, or a simulator's.
        seed: Of the draws.
        train: Data that the predictors learn from.
        points: Data for each value of the sensitive factor.

    Raises:
        DataError: There is one factor.

    Reference:
        Locatello et al., On the Fairness of Disentangled Representations, arXiv 1905.13662.
    """
    if grid.n_factors < 2:
        raise DataError("Fairness needs a factor to predict and another that is sensitive.")
    random = np.random.default_rng(seed)
    learnt = grid.factors(train, random)
    codes = grid.codes(learnt)
    mean, most = np.full((2, grid.n_factors, grid.n_factors), np.nan)
    for k, column in enumerate(learnt.T):
        fitted = Boosting.fit(codes, column, seed)
        for sensitive in np.delete(np.arange(grid.n_factors), k):
            asked = np.tile(grid.factors(points, random), (grid.sizes[sensitive], 1))
            groups = np.repeat(np.arange(grid.sizes[sensitive]), points)
            asked[:, sensitive] = groups
            counts = np.zeros((grid.sizes[k], grid.sizes[sensitive]))
            np.add.at(counts, (fitted.predict(grid.codes(asked)), groups), 1)
            mean[k, sensitive], most[k, sensitive] = total_variation(counts)
    return Unfairness(float(np.nanmean(mean)), float(np.nanmax(most)), mean, most)
