"""Modularity, does a latent serve one factor; explicitness, is a factor linearly readable?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import (
    BINS,
    TRAIN,
    Ints,
    both,
    discretise,
    draw_rows,
    paired,
)
from isthmus.metrics.disentanglement.logistic import Logistic
from isthmus.metrics.disentanglement.mutual import mutual_information


def modularity_of(information: ArrayLike) -> float:
    """Mean over latents of 1 − Σ_{others} m² / (m_max² (F − 1)).

    Args:
        information: m (Z, F), what each latent knows of each factor, not negative.

    Returns:
        Between 0 and 1; a latent that knows nothing counts 0, and with one factor all others 1.

    Raises:
        DataError: It is not such a matrix.
    """
    m = np.asarray(information, dtype=np.float64)
    if m.ndim != 2 or not m.size or not np.isfinite(m).all() or (m < 0).any():
        raise DataError(
            f"Information of shape {m.shape} cannot be used; expected finite values, (latents, "
            "factors), none below 0."
        )
    most = m.max(1)
    relative = (m / np.where(most > 0, most, 1.0)[:, None]) ** 2
    others = (relative.sum(1) - 1.0) / max(m.shape[1] - 1, 1)
    return float(np.where(most > 0, 1.0 - others, 0.0).mean())


def modularity(
    codes: ArrayLike, factors: ArrayLike, *, seed: int = 0, rows: int = TRAIN, bins: int = BINS
) -> float:
    """Whether each latent knows of one factor only: `modularity_of` their mutual information.

    Args:
        codes: (N, Z) posterior means.
        factors: (N, F) whole numbers.
        seed: Of the rows that are drawn where there are more than `rows`.
        rows: Rows that are looked at, at most.
        bins: Of each latent.

    Raises:
        DataError: The arrays do not fit.

    Reference:
        Ridgeway & Mozer, Learning Deep Disentangled Embeddings with the F-Statistic Loss, arXiv
        1802.05312.
    """
    z, f = paired(codes, factors)
    if len(z) > rows:
        drawn = draw_rows(len(z), rows, seed)
        z, f = z[drawn], f[drawn]
    return modularity_of(mutual_information(discretise(z, bins), f))


def explicitness(
    train_codes: ArrayLike, train_factors: ArrayLike, test_codes: ArrayLike, test_factors: ArrayLike
) -> float:
    """Area under the ROC curve of logistic regression, one class against the rest, mean of all.

    Args:
        train_codes: (N, Z) to fit on, which also set mean and scale.
        train_factors: (N, F) whole numbers.
        test_codes: (M, Z) to score.
        test_factors: (M, F); classes that are not among them, or not fitted, are left out.

    Returns:
        From 0.5, which is chance, to 1: the mean over classes, then over factors.

    Raises:
        DataError: The arrays do not fit, or a factor has a single value.

    Reference:
        Ridgeway & Mozer, arXiv 1802.05312.
    """
    train_z, train_f, test_z, test_f = both(train_codes, train_factors, test_codes, test_factors)
    mean, scale = train_z.mean(0), train_z.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    train_z, test_z = (train_z - mean) / scale, (test_z - mean) / scale
    found = []
    for k, (values, wanted) in enumerate(zip(train_f.T, test_f.T, strict=True)):
        if any((column == column[0]).all() for column in (values, wanted)):
            raise DataError(
                f"Factor {k} has one value among the rows to fit on or to score: leave it out, or "
                "give more rows."
            )
        fitted = Logistic.fit(train_z, values)
        found.append(_areas(fitted.scores(test_z), fitted.classes, wanted))
    return float(np.mean(found))


def _areas(scores: Floats, classes: Ints, labels: Ints) -> float:
    """The mean over classes of the chance that one of the class scores above one of the rest."""
    found = []
    for own, column in zip(classes[:, None] == labels, scores.T, strict=True):
        n = np.count_nonzero(own)
        if not 0 < n < len(labels):
            continue
        ordered, mine = np.sort(column), np.sort(column[own])
        ranks = np.searchsorted(ordered, mine) + np.searchsorted(ordered, mine, side="right") + 1
        found.append((ranks.sum() / 2 - n * (n + 1) / 2) / (n * (len(labels) - n)))
    if not found:
        raise DataError("No value of a factor is both among the rows to fit on and those to score.")
    return float(np.mean(found))
