"""Do clusters of codes meet the labels?"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.threads import one_thread
from isthmus.registry import Registry

CLUSTERINGS = Registry("clustering")


@CLUSTERINGS.register("k-means")
def k_means(count: int, seed: int) -> Any:
    """Round clusters of like size: the best of ten starts."""
    from sklearn.cluster import KMeans

    return KMeans(count, n_init=10, random_state=seed)


@CLUSTERINGS.register("mixture")
def mixture(count: int, seed: int) -> Any:
    """Gaussians of any covariance: the best of three starts."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(count, n_init=3, random_state=seed, reg_covar=1e-6)


class Agreement(NamedTuple):
    """How far two groupings agree.

    Args:
        ari: The adjusted Rand index: 1 if they are one, 0 in expectation by chance.
        nmi: Mutual information over the mean of the entropies, 0 to 1; not adjusted for chance.
    """

    ari: float
    nmi: float


@one_thread
def cluster_agreement(
    codes: ArrayLike,
    labels: ArrayLike,
    clustering: str = "k-means",
    seed: int = 0,
    max_rows: int = 10_000,
) -> Agreement:
    """Cluster standardised codes into as many groups as there are labels, and compare.

    Dimensions that do not vary are left out, the others standardised together: by the mean of
    their variances, so that a rotation of the codes changes nothing and dimensions that carry
    little stay small.

    Args:
        codes: (N, *Z).
        labels: (N,) classes, which the clustering does not see but for their number.
        clustering: "k-means" or "mixture".
        seed: Of the starts, and of the `max_rows` rows where there are more.
        max_rows: The most rows that are used.

    Raises:
        DataError: The lengths differ, there are fewer than two classes, no code varies, or a value
            is not finite.
        UnknownNameError: There is no such clustering.

    Reference:
        Hubert and Arabie, Comparing partitions, Journal of Classification 2, 1985.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    rows, classes = as_rows(codes, "codes"), np.asarray(labels).reshape(-1)
    same_length(rows, classes, "codes and labels")
    chosen = np.random.RandomState(seed).permutation(len(rows))[:max_rows]
    rows, classes = rows[chosen], classes[chosen]
    count = len(np.unique(classes))
    if count < 2:
        raise DataError("All labels are equal; clusters are compared to at least two classes.")
    method = CLUSTERINGS.create(clustering, count=count, seed=seed)
    with warnings.catch_warnings():
        # Fewer distinct codes than labels, or a last start that did not settle.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = method.fit_predict(_scaled(rows))
    return Agreement(
        float(adjusted_rand_score(classes, found)),
        float(normalized_mutual_info_score(classes, found)),
    )


def _scaled(rows: Floats) -> Floats:
    varying = rows.max(0) > rows.min(0)
    if not varying.any():
        raise DataError("All codes are equal; there is nothing to cluster.")
    kept = rows[:, varying] - rows[:, varying].mean(0)
    scaled: Floats = kept / np.sqrt(kept.var(0).mean())
    return scaled
