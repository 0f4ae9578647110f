"""The area under the ROC curve, counted from ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.metrics.checks import Floats


def placements(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Each datum's chance to be ranked rightly against a random one of the other class.

    The mean of either array is the area under the ROC curve, and their variances give its error.

    Args:
        scores: (N,) any ordering; ties count one half.
        positive: (N,) the class that should score high; both classes must be there.

    Returns:
        The placements of the positive data, and those of the others, in their order.

    Reference:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
    """
    from scipy.stats import rankdata

    ranks, high, low = rankdata(scores), scores[positive], scores[~positive]
    of_high = (ranks[positive] - rankdata(high)) / len(low)
    of_low = 1 - (ranks[~positive] - rankdata(low)) / len(high)
    return of_high, of_low
