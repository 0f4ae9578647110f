"""Disentanglement, completeness and informativeness, from what predicts each factor."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.boosting import Binned, Boosting
from isthmus.metrics.disentanglement.inputs import both

# Added to every importance, so that an idle latent has an entropy.
LEAST = 1e-11


@final
class Dci(NamedTuple):
    """The three scores (0 to 1), and the importances (Z, F) that the first two come from.

    Args:
        disentanglement: Does each latent serve one factor?
        completeness: Does one latent serve each factor?
        informativeness: Accuracy on the rows to score, mean over factors.
        informativeness_train: Accuracy on the rows that were fitted on.
        importance: (Z, F), a column summing to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_train: float
    importance: Floats


def dci(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    seed: int,
) -> Dci:
    """DCI by gradient-boosted trees, one set for each factor.

    Args:
        train_codes: (N, Z) to fit on; the reference takes 10,000 (see `halves`).
        train_factors: (N, F) whole numbers.
        test_codes: (M, Z) to score; the reference takes 5,000.
        test_factors: (M, F).
        seed: Of the choice between splits that are equally good.

    Returns:
        With a single factor disentanglement is 1, and with a single latent completeness is.

    Raises:
        DataError: The arrays do not fit.

    Reference:
        Eastwood & Williams, A Framework for the Quantitative Evaluation of Disentangled
        Representations, ICLR 2018 (openreview By-7dz-AZ).
    """
    train_z, train_f, test_z, test_f = both(train_codes, train_factors, test_codes, test_factors)
    binned = Binned.of(train_z)
    fitted = [Boosting.fit(binned, column, seed) for column in train_f.T]
    importance = np.stack([trees.importances for trees in fitted], 1)
    predicted = np.stack([trees.predict(test_z) for trees in fitted], 1)
    learnt = np.stack([trees.learnt for trees in fitted], 1)
    scored, fit = float((predicted == test_f).mean()), float((learnt == train_f).mean())
    return Dci(disentanglement(importance), completeness(importance), scored, fit, importance)


def disentanglement(importance: ArrayLike) -> float:
    """Σ_i ρ_i (1 − H_F(R_i)), ρ_i the share of all importance that latent i has.

    Args:
        importance: R (Z, F), not negative; H_F is the entropy of a row, in units of log F.

    Raises:
        DataError: It is not such a matrix.
    """
    R = np.asarray(importance, dtype=np.float64)
    if R.ndim != 2 or not R.size or not np.isfinite(R).all() or (R < 0).any():
        raise DataError(
            f"Importances of shape {R.shape} cannot be used; expected finite ones, (latents, "
            "factors), none below 0."
        )
    weights = R.sum(1) if R.sum() > 0 else np.full(len(R), 1.0)
    return float((weights / weights.sum() * (1.0 - _relative_entropies(R))).sum())


def completeness(importance: ArrayLike) -> float:
    """The same with the parts of latents and factors exchanged: Σ_j ρ_j (1 − H_Z(R_·j)).

    Raises:
        DataError: It is not a matrix of importances.
    """
    return disentanglement(np.asarray(importance, dtype=np.float64).T)


def _relative_entropies(R: Floats) -> Floats:
    """The entropy of each row as a share of the most it could be; 0 where there is one column."""
    if R.shape[1] == 1:
        return np.zeros(len(R))
    p = (R + LEAST) / (R + LEAST).sum(1, keepdims=True)
    return np.asarray(-(p * np.log(p)).sum(1) / np.log(R.shape[1]))
