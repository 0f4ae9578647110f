"""How well a linear map reads a property from codes, held out, and along which direction."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.estimates import Estimate
from isthmus.metrics.ranking import placements
from isthmus.metrics.threads import one_thread

FOLDS = 5


@final
@dataclass(frozen=True)
class Readout:
    """How a property is read from codes, and the shortest way to change what is read.

    Args:
        weights: (Z,) of the codes in what is read: log-odds of a class, or the number.
        direction: (Z,) the move that raises it by 1, as short as can be where each dimension of the
            code counts in its own standard deviations: a dimension that hardly varies hardly moves.
        score: Held out, with its standard error.
        measure: "AUC", from 0.5 by chance to 1, or "R²", 0 or less by chance, to 1.
    """

    weights: Floats
    direction: Floats
    score: Estimate
    measure: str


@one_thread
def read_class(codes: ArrayLike, member: ArrayLike, seed: int) -> Readout:
    """A logistic regression that tells members of a class from the others.

    Codes are standardised for the fit. The area under the ROC curve is that of all data, each
    scored by the fit to the other four of five folds; its standard error is DeLong's.

    Args:
        codes: (N, *Z).
        member: (N,) true for members.
        seed: Of the folds.

    Raises:
        DataError: The lengths differ, a code is not finite, or either group has fewer than 5 data.

    Reference:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, inside = as_rows(codes, "codes"), np.asarray(member, bool).reshape(-1)
    same_length(rows, inside, "codes and marks of a class")
    if min(inside.sum(), (~inside).sum()) < FOLDS:
        raise DataError(
            f"{inside.sum()} of {len(inside)} data are of the class; a direction towards it needs "
            f"at least {FOLDS} of them and as many others."
        )
    scaler = StandardScaler()
    model = make_pipeline(scaler, LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # The order of scores has long settled when the weights of separable classes still grow.
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = cross_val_predict(model, rows, inside, cv=folds, method="decision_function")
        model.fit(rows, inside)
    of_members, of_others = placements(scores, inside)
    variance = of_members.var(ddof=1) / len(of_members) + of_others.var(ddof=1) / len(of_others)
    score = Estimate(float(of_members.mean()), math.sqrt(float(variance)))
    weights = model[-1].coef_[0] / scaler.scale_
    return Readout(weights, _shortest(weights, rows), score, "AUC")


def read_number(codes: ArrayLike, values: ArrayLike, seed: int) -> Readout:
    """A least-squares regression of a number on codes.

    R² is of all data, each predicted by the fit to the other four of five folds and compared with
    those folds' mean; its standard error is that of a ratio of means.

    Args:
        codes: (N, *Z).
        values: (N,) finite numbers.
        seed: Of the folds.

    Raises:
        DataError: The lengths differ, something is not finite, all values are equal, or there are
            fewer than 10 data.
    """
    rows, target = as_rows(codes, "codes"), as_rows(values, "values")[:, 0]
    same_length(rows, target, "codes and values")
    if len(rows) < 2 * FOLDS:
        raise DataError(f"A direction takes at least {2 * FOLDS} data; got {len(rows)}.")
    if not target.std() > 0:
        raise DataError("All values are equal; no direction in the code can stand for them.")
    order = np.random.default_rng(seed).permutation(len(rows))
    missed, spread = np.empty(len(rows)), np.empty(len(rows))
    for held in np.array_split(order, FOLDS):
        fitted = np.setdiff1d(order, held)
        weights, level = _least_squares(rows[fitted], target[fitted])
        missed[held] = (target[held] - rows[held] @ weights - level) ** 2
        spread[held] = (target[held] - target[fitted].mean()) ** 2
    value = 1.0 - float(missed.mean() / spread.mean())
    scatter = (missed - (1.0 - value) * spread).std(ddof=1)
    score = Estimate(value, float(scatter / (spread.mean() * math.sqrt(len(rows)))))
    weights, _ = _least_squares(rows, target)
    return Readout(weights, _shortest(weights, rows), score, "R²")


def _least_squares(rows: Floats, target: Floats) -> tuple[Floats, float]:
    """Weights (Z,), the shortest where several are as good, and the level at the origin."""
    centre = rows.mean(0)
    weights = np.linalg.lstsq(rows - centre, target - target.mean(), rcond=None)[0]
    return weights, float(target.mean() - centre @ weights)


def _shortest(weights: Floats, rows: Floats) -> NDArray[np.float64]:
    towards = rows.var(0) * weights
    gain = float(weights @ towards)
    return towards / gain if gain > 0 else np.zeros_like(weights)
