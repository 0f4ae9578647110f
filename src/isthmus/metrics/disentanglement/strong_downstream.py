"""Whether what a classifier learnt holds when another factor takes values never seen."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np

from isthmus.errors import DataError, OptionError
from isthmus.metrics.disentanglement.classifiers import PREDICTORS
from isthmus.metrics.disentanglement.inputs import TEST, TRAIN
from isthmus.metrics.disentanglement.interventions import Grid


@final
class Generalisation(NamedTuple):
    """Accuracies, means over factors, and what is lost: gap = 1 − strong / normal."""

    normal: float
    strong: float
    gap: float


def strong_downstream(
    grid: Grid,
    *,
    seed: int,
    train: int = TRAIN,
    test: int = TEST,
    repeats: int = 10,
    predictor: str = "trees",
) -> Generalisation:
    """Accuracy where another factor has one value while learning and any other in the test.

    Args:
        grid: `Grid.of(codes, factors)` of a full grid, or a simulator's.
        seed: Of the draws, the factor and the value.
        train: Data to learn from.
        test: Data to score.
        repeats: For each factor that is predicted.
        predictor: "trees" or "logistic".

    Raises:
        DataError: There is one factor, or another one that has a single value.
        OptionError: A number is less than 1.

    Reference:
        Locatello et al., arXiv 1811.12359, and its implementation disentanglement_lib.
    """
    if grid.n_factors < 2 or min(grid.sizes) < 2:
        raise DataError(
            f"Factors of sizes {grid.sizes} leave nothing to intervene on; at least two factors of "
            "at least two values are needed."
        )
    if min(train, test, repeats) < 1:
        raise OptionError(f"train={train}, test={test}, repeats={repeats}; each must be >= 1.")
    random = np.random.default_rng(seed)
    fit = PREDICTORS[predictor].factory
    seen, unseen = grid.factors(train, random), grid.factors(test, random)
    codes, others = grid.codes(seen), grid.codes(unseen)
    normal = [
        (fit(codes, seen[:, k], seed).predict(others) == unseen[:, k]).mean()
        for k in range(grid.n_factors)
    ]
    strong = []
    for k in np.repeat(np.arange(grid.n_factors), repeats):
        moved = random.choice(np.delete(np.arange(grid.n_factors), k))
        values = random.permutation(grid.sizes[moved])
        fixed, changed = seen.copy(), unseen.copy()
        fixed[:, moved] = values[0]
        changed[:, moved] = random.choice(values[1:], size=test)
        fitted = fit(grid.codes(fixed), fixed[:, k], seed)
        strong.append((fitted.predict(grid.codes(changed)) == changed[:, k]).mean())
    usual, moved_on = float(np.mean(normal)), float(np.mean(strong))
    return Generalisation(usual, moved_on, 1.0 - moved_on / usual if usual > 0 else float("nan"))
