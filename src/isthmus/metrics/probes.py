"""What a simple classifier reads from codes."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.threads import one_thread


def _labelled(codes: ArrayLike, labels: ArrayLike) -> tuple[Floats, np.ndarray]:
    rows, classes = as_rows(codes, "codes"), np.asarray(labels).reshape(-1)
    same_length(rows, classes, "codes and labels")
    return rows, classes


def linear_probe(
    train_codes: ArrayLike,
    train_labels: ArrayLike,
    test_codes: ArrayLike,
    test_labels: ArrayLike,
    seed: int,
) -> float:
    """The accuracy of a logistic regression on standardised codes.

    Args:
        train_codes: (N, *Z) codes to fit on; they also set mean and scale.
        train_labels: (N,) classes.
        test_codes: (M, *Z) codes to score.
        test_labels: (M,) classes.
        seed: Seeds the solver, where it draws at all.

    Returns:
        The share of test labels that are met.

    Raises:
        DataError: Lengths differ, a code is not finite, or the training labels hold one class.
    """
    return float(probe_hits(train_codes, train_labels, test_codes, test_labels, seed).mean())


@one_thread
def probe_hits(
    train_codes: ArrayLike,
    train_labels: ArrayLike,
    test_codes: ArrayLike,
    test_labels: ArrayLike,
    seed: int,
) -> NDArray[np.bool_]:
    """Which test labels (M,) the classifier of `linear_probe` meets, from the same arguments.

    Raises:
        DataError: As `linear_probe`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, labels = _labelled(train_codes, train_labels)
    if len(np.unique(labels)) < 2:
        raise DataError("All training labels are equal; a linear probe needs at least two classes.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    with warnings.catch_warnings():
        # The accuracy has long settled when the weights of separable classes still grow.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(codes, labels)
    asked, truth = _labelled(test_codes, test_labels)
    met: NDArray[np.bool_] = probe.predict(asked) == truth
    return met


@one_thread
def knn_probe(
    train_codes: ArrayLike,
    train_labels: ArrayLike,
    test_codes: ArrayLike,
    test_labels: ArrayLike,
    k: int = 5,
) -> float:
    """The accuracy of a vote of the k nearest training codes, by Euclidean distance.

    The codes are taken as they are: their scale is part of what is judged.

    Args:
        train_codes: (N, *Z) codes that vote.
        train_labels: (N,) their classes.
        test_codes: (M, *Z) codes to score.
        test_labels: (M,) their classes.
        k: The number of neighbours; all training codes where there are fewer.

    Returns:
        The share of test labels that are met.

    Raises:
        DataError: Lengths differ, or a code is not finite.
        OptionError: `k` is less than 1.
    """
    from sklearn.neighbors import KNeighborsClassifier

    if k < 1:
        raise OptionError(f"The number of neighbours is {k}; at least 1 is needed.")
    codes, labels = _labelled(train_codes, train_labels)
    probe = KNeighborsClassifier(n_neighbors=min(k, len(codes))).fit(codes, labels)
    return float(probe.score(*_labelled(test_codes, test_labels)))
