"""How well a score tells unusual data from usual ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import as_rows, same_length
from isthmus.metrics.ranking import placements


def auc(scores: ArrayLike, is_outlier: ArrayLike) -> float:
    """The chance that a random outlier scores higher than a random ordinary datum.

    Ties count one half: this is the area under the ROC curve.

    Args:
        scores: (N,) higher for the more unusual, such as a negative log-likelihood.
        is_outlier: (N,) true or 1 for the outliers.

    Returns:
        1 for a perfect score, 0.5 for a guess.

    Raises:
        DataError: The lengths differ, a score is not finite, or one of the two groups is empty.
    """
    values, outlier = (
        as_rows(scores, "scores").reshape(-1),
        np.asarray(is_outlier, bool).reshape(-1),
    )
    same_length(values, outlier, "scores and outlier marks")
    if outlier.all() or not outlier.any():
        raise DataError(
            f"{outlier.sum()} of {len(outlier)} data are marked as outliers; the area under the "
            "ROC curve needs some of either group."
        )
    return float(placements(values, outlier)[0].mean())
