"""The SAP score: how much better one latent predicts each factor than the next best does."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.disentanglement.inputs import Ints, both, ranked, ranks, top_gap
from isthmus.metrics.disentanglement.thresholds import Labels, fit_thresholds, highest


@final
class Sap(NamedTuple):
    """The mean gap (0 to 1), and how well each latent alone predicts each factor (Z, F)."""

    score: float
    matrix: Floats


def sap(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    price: float = 0.01,
) -> Sap:
    """Mean over factors of the accuracy of the best latent less that of the second best.

    A latent predicts a factor by a linear support vector machine on it alone: squared hinge, one
    class against the rest, and classes that are rare weighing more.

    Args:
        train_codes: (N, Z) to fit on; the reference takes 10,000 (see `halves`).
        train_factors: (N, F) whole numbers.
        test_codes: (M, Z) to score; the reference takes 5,000.
        test_factors: (M, F).
        price: C, of the squared hinge.

    Returns:
        With a single latent nothing is subtracted.

    Raises:
        DataError: The arrays do not fit, or a factor has a single value among the rows to fit on.

    Reference:
        Kumar, Sattigeri & Balakrishnan, Variational Inference of Disentangled Latent Concepts from
        Unlabeled Observations, arXiv 1711.00848.
    """
    train_z, train_f, test_z, test_f = both(train_codes, train_factors, test_codes, test_factors)
    labels, sizes = ranked(train_f)
    if min(sizes) < 2:
        raise DataError(
            f"Factor {sizes.index(1)} has one value in all {len(train_f):,} rows to fit on: leave "
            "it out, or give more rows."
        )
    classes, places = Labels(labels, sizes), _places(train_f, test_f)
    matrix = np.empty((train_z.shape[1], len(sizes)))
    for row, x, new in zip(matrix, train_z.T.copy(), test_z.T.copy(), strict=True):
        least, most = highest(*fit_thresholds(x, classes, price), sizes)
        least, most = np.append(least, np.inf), np.append(most, np.inf)
        row[:] = ((new >= least.take(places)) & (new <= most.take(places))).mean(1)
    return Sap(float(top_gap(matrix).mean()), matrix)


def _places(fitted: Ints, scored: Ints) -> Ints:
    """(F, M) which of the classes of all factors each datum has, or beyond them if none."""
    classes = [ranks(column)[0] for column in fitted.T]
    total = sum(map(len, classes))
    found = np.empty(scored.shape[::-1], dtype=np.int64)
    start = 0
    for row, known, column in zip(found, classes, scored.T, strict=True):
        place = np.searchsorted(known, column)
        row[:] = np.where(known.take(place, mode="clip") == column, start + place, total)
        start += len(known)
    return found


def sap_continuous(codes: ArrayLike, factors: ArrayLike) -> Sap:
    """SAP of continuous factors: the squared correlation takes the accuracy's place.

    Args:
        codes: (N, Z), N at least 2.
        factors: (N, F), any numbers.

    Returns:
        A latent whose variance is at most 1e-12 predicts nothing.

    Raises:
        DataError: The arrays do not fit, or a factor is constant.

    Reference:
        Kumar, Sattigeri & Balakrishnan, arXiv 1711.00848.
    """
    z, f = as_rows(codes, "codes"), as_rows(factors, "factors")
    same_length(z, f, "codes and factors")
    if len(z) < 2 or not (variance := f.var(0, ddof=1)).all():
        raise DataError("A correlation needs at least two rows and factors that vary.")
    spread = z.var(0, ddof=1)
    covariance = (z - z.mean(0)).T @ (f - f.mean(0)) / (len(z) - 1)
    varies = spread > 1e-12
    matrix = np.zeros_like(covariance)
    matrix[varies] = covariance[varies] ** 2 / np.multiply.outer(spread[varies], variance)
    return Sap(float(top_gap(matrix).mean()), matrix)
