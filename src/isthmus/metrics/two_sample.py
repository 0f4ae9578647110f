"""Can a classifier tell generated data from real ones?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.estimates import Estimate
from isthmus.metrics.ranking import placements
from isthmus.metrics.threads import one_thread

FOLDS = 5
CLIP = 5.0


def two_sample_auc(
    real: ArrayLike, generated: ArrayLike, seed: int, max_rows: int = 2000
) -> Estimate:
    """The classifier two-sample test: how well the two sets can be told apart.

    In each of five stratified folds the held-out data are scored by the mean log-odds of boosted
    trees and of a logistic regression on the columns and their squares: the first finds what is
    local, the second what lies in means and scales. The figure is the mean over folds of the area
    under the ROC curve. It is not folded at 0.5: without any difference it scatters about it.

    Args:
        real: (N, *D) held-out data.
        generated: (M, *D) data from the model.
        seed: Draws the folds and, where there are more rows, the `max_rows` of either set.
        max_rows: The most rows of either set that are used.

    Returns:
        0.5 if nothing tells them apart, 1 if everything does, with DeLong's standard error given
        the classifiers; what other training folds would change is left out: a little small.

    Raises:
        DataError: Fewer than five rows of either, different columns, or a value that is not finite.

    Reference:
        Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 1610.06545.
    """
    real, generated = as_rows(real, "real data"), as_rows(generated, "generated data")
    if real.shape[1] != generated.shape[1] or min(len(real), len(generated)) < FOLDS:
        raise DataError(
            f"The real data are {real.shape} and the generated ones {generated.shape}; "
            f"expected at least {FOLDS} rows of each and equally many columns."
        )
    random = np.random.RandomState(seed)
    sets = [rows[random.permutation(len(rows))[:max_rows]] for rows in (real, generated)]
    x = np.concatenate(sets)
    is_generated = np.repeat([False, True], [len(rows) for rows in sets])
    of_generated, of_real, areas = [], [], []
    for train, test in _folds(x, is_generated, random):
        scores = _log_odds(x[train], is_generated[train], x[test])
        high, low = placements(scores, is_generated[test])
        of_generated.append(high)
        of_real.append(low)
        areas.append(high.mean())
    variance = sum(
        float(p.var(ddof=1)) / len(p) for p in map(np.concatenate, (of_generated, of_real))
    )
    return Estimate(float(np.mean(areas)), math.sqrt(variance))


def two_sample_p(found: Estimate) -> float:
    """The chance of an area at least as large where nothing tells the two sets apart.

    One-sided and by the normal approximation: 1 − Φ((area − 1/2) / error). Its error is a little
    small, so read a value near a threshold with care.

    Args:
        found: From `two_sample_auc`.

    Returns:
        0 to 1; exactly 0 where the classifiers made no mistake.
    """
    gap = found.value - 0.5
    if found.error == 0:
        return 0.0 if gap > 0 else 1.0
    return 0.5 * math.erfc(gap / (found.error * math.sqrt(2.0)))


def _folds(
    x: Floats, labels: NDArray[np.bool_], random: np.random.RandomState
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedKFold

    folds: Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=random).split(x, labels)
    return folds


@one_thread
def _log_odds(x: Floats, labels: NDArray[np.bool_], test: Floats) -> Floats:
    """Mean log-odds of `labels` at `test` (M, D), of two classifiers trained on `x` (N, D)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    trees = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0
    ).fit(x, labels)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1
    line = LogisticRegression(C=0.1, max_iter=200)
    with warnings.catch_warnings():
        # A separable pair of sets has no finite optimum worth waiting for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        line.fit(_quadratic((x - mean) / scale), labels)
    votes = (
        trees.decision_function(test),
        line.decision_function(_quadratic((test - mean) / scale)),
    )
    prior = math.log(labels.mean() / (1 - labels.mean()))
    # Bounded about the prior, so that neither classifier outvotes the other by overconfidence.
    bounded = [CLIP * np.tanh((vote - prior) / CLIP) for vote in votes]
    return np.mean(bounded, axis=0, dtype=np.float64)


def _quadratic(x: Floats) -> Floats:
    """`x` (N, D) and its squares, (N, 2 D), with squares of far outliers cut off."""
    return np.concatenate([x, np.minimum(x**2, 25.0)], axis=1)
