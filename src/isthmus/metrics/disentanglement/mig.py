"""The mutual information gap: does one latent alone know each factor?"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import (
    BINS,
    TRAIN,
    discretise,
    draw_rows,
    paired,
    top_gap,
)
from isthmus.metrics.disentanglement.mutual import entropies, mutual_information


@final
class Mig(NamedTuple):
    """The gap (0 to 1), what each factor (F,) adds to it, and I(latent; factor) (Z, F) in nats."""

    score: float
    per_factor: Floats
    information: Floats


def mig(
    codes: ArrayLike, factors: ArrayLike, *, seed: int = 0, rows: int = TRAIN, bins: int = BINS
) -> Mig:
    """MIG = mean_k (I(z_(1); f_k) − I(z_(2); f_k)) / H(f_k).

    z_(1) and z_(2) are the two latents, binned, that know most of factor k.

    Args:
        codes: (N, Z) posterior means.
        factors: (N, F) whole numbers, taken as they are.
        seed: Of the rows that are drawn where there are more than `rows`.
        rows: Rows that are looked at, at most.
        bins: Of each latent, equally wide.

    Returns:
        A score of 1 where each factor has a latent that knows all of it and no second one knows
        anything. With a single latent nothing is subtracted.

    Raises:
        DataError: The arrays do not fit, or a factor has a single value.

    Reference:
        Chen et al., Isolating Sources of Disentanglement in VAEs, arXiv 1802.04942; binning as in
        Locatello et al., arXiv 1811.12359.
    """
    z, f = paired(codes, factors)
    if len(z) > rows:
        drawn = draw_rows(len(z), rows, seed)
        z, f = z[drawn], f[drawn]
    entropy = entropies(f)
    if not entropy.all():
        constant = int(np.flatnonzero(entropy == 0)[0])
        raise DataError(
            f"Factor {constant} has one value in all {len(f):,} rows, so nothing can be known of "
            "it: leave it out."
        )
    information = mutual_information(discretise(z, bins), f)
    gaps = top_gap(information) / entropy
    return Mig(float(gaps.mean()), gaps, information)
