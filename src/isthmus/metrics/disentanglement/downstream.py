"""What codes are good for: how well a classifier reads the factors, from how few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import OptionError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.boosting import Boosting
from isthmus.metrics.disentanglement.classifiers import PREDICTORS
from isthmus.metrics.disentanglement.inputs import TRAIN, Halves, both

SIZES = (10, 100, 1000, TRAIN)


@final
class Accuracy(NamedTuple):
    """Accuracies of each factor (F,) on the rows to fit on and on those to score."""

    train: Floats
    test: Floats

    @property
    def mean(self) -> float:
        """On the rows to score, mean over factors."""
        return float(self.test.mean())


def downstream(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    seed: int,
    sizes: Sequence[int] = SIZES,
    predictor: str = "trees",
) -> dict[int, Accuracy]:
    """The accuracy of a classifier of each factor, by the number of rows that it learns from.

    Args:
        train_codes: (N, Z), the first rows of which are learnt from.
        train_factors: (N, F) whole numbers.
        test_codes: (M, Z) to score; the reference takes 5,000.
        test_factors: (M, F).
        seed: Of the trees' ties.
        sizes: Numbers of rows; those above N are left out.
        predictor: "trees" (gradient boosting) or "logistic" (its C by five folds).

    Returns:
        By number of rows. Sample efficiency is the quotient of two of the means.

    Raises:
        DataError: The arrays do not fit.
        OptionError: A number of rows is less than 1.
        UnknownNameError: There is no such predictor.

    Reference:
        Locatello et al., arXiv 1811.12359.
    """
    data = both(train_codes, train_factors, test_codes, test_factors)
    if any(size < 1 for size in sizes):
        raise OptionError(f"sizes={tuple(sizes)}; each must be at least 1.")
    return {
        size: accuracy(
            data._replace(
                train_codes=data.train_codes[:size], train_factors=data.train_factors[:size]
            ),
            seed,
            predictor,
        )
        for size in sizes
        if size <= len(data.train_codes)
    }


def accuracy(data: Halves, seed: int, predictor: str = "trees") -> Accuracy:
    """How well one classifier for each factor does."""
    fit = PREDICTORS[predictor].factory
    train, test = [], []
    for values, wanted in zip(data.train_factors.T, data.test_factors.T, strict=True):
        fitted = fit(data.train_codes, values, seed)
        train.append((fitted.predict(data.train_codes) == values).mean())
        test.append((fitted.predict(data.test_codes) == wanted).mean())
    return Accuracy(np.array(train), np.array(test))


def reduced_downstream(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    seed: int,
    removed: int = 2,
    predictor: str = "trees",
) -> Floats:
    """The accuracy of every factor after the latents that matter most to one are taken away.

    Latents go one by one, each time the one of the largest importance to gradient-boosted trees
    that are fitted anew on what is left.

    Args:
        train_codes: (N, Z) to fit on.
        train_factors: (N, F) whole numbers.
        test_codes: (M, Z) to score.
        test_factors: (M, F).
        seed: Of the trees' ties.
        removed: Latents that are taken away, fewer than Z.
        predictor: As `downstream` has it.

    Returns:
        (F, F) the accuracy of the factor in the column, without the latents of that in the row: a
        disentangled code loses on the diagonal alone.

    Raises:
        DataError: The arrays do not fit.
        OptionError: No latent would be left.

    Reference:
        Locatello et al., arXiv 1811.12359, and its implementation disentanglement_lib.
    """
    data = both(train_codes, train_factors, test_codes, test_factors)
    width = data.train_codes.shape[1]
    if not 0 <= removed < width:
        raise OptionError(f"removed={removed} of {width} latents; at least one must be left.")
    found = []
    for column in data.train_factors.T:
        kept = np.arange(width)
        for _ in range(removed):
            importance = Boosting.fit(data.train_codes[:, kept], column, seed).importances
            kept = np.delete(kept, importance.argmax())
        left = data._replace(
            train_codes=data.train_codes[:, kept], test_codes=data.test_codes[:, kept]
        )
        found.append(accuracy(left, seed, predictor).test)
    return np.array(found)
