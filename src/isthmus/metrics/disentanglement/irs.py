"""The interventional robustness score: does a latent move when other factors do?"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import OptionError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.disentanglement.inputs import BINS, TRAIN, Ints, discretise, draw_rows


@final
class Robustness(NamedTuple):
    """The score (0 to 1), and how far each factor explains each varying latent (Z', F)."""

    score: float
    matrix: Floats


def irs(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    seed: int = 0,
    rows: int = TRAIN,
    bins: int = BINS,
    quantile: float = 0.99,
) -> Robustness:
    """1 − how far a latent strays while a factor is fixed / how far it strays at all.

    A latent's score is that of the factor that explains most of it; latents are weighted by how far
    they stray, and constant ones left out.

    Args:
        codes: (N, Z) posterior means.
        factors: (N, F), continuous or not: they are binned like the codes of other measures.
        seed: Of the rows that are drawn where there are more than `rows`.
        rows: Rows that are looked at, at most.
        bins: Of each factor.
        quantile: Of |z − E[z | f]| that counts as how far; 1 is the paper's largest.

    Returns:
        A score of 1 where a factor alone moves each latent; 0 where all latents are constant.

    Raises:
        DataError: The arrays do not fit, or hold NaN.
        OptionError: The quantile is not between 0 and 1.

    Reference:
        Suter et al., Robustly Disentangled Causal Mechanisms, arXiv 1811.00007.
    """
    if not 0 <= quantile <= 1:
        raise OptionError(f"The quantile is {quantile}; it must lie between 0 and 1.")
    z, f = as_rows(codes, "codes"), as_rows(factors, "factors")
    same_length(z, f, "codes and factors")
    if len(z) > rows:
        drawn = draw_rows(len(z), rows, seed)
        z, f = z[drawn], f[drawn]
    z = z[:, z.var(0) > 0]
    if not z.shape[1]:
        return Robustness(0.0, np.zeros((0, f.shape[1])))
    furthest = np.abs(z - z.mean(0)).max(0)
    strays = np.stack([_strays(z, column, quantile) for column in discretise(f, bins).T], 1)
    matrix = 1.0 - strays / furthest[:, None]
    return Robustness(float(np.average(matrix.max(1), weights=furthest)), matrix)


def _strays(z: Floats, values: Ints, quantile: float) -> Floats:
    """(Z,) the mean over the factor's values of how far each latent strays at that value."""
    # Whole numbers of few bits are sorted in one pass.
    order = np.argsort(values.astype(np.min_scalar_type(values.max())), kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-1))
    parts = np.split(z.T.take(order, axis=1), starts[1:], axis=1)
    return np.mean([_furthest(part, quantile) for part in parts], axis=0)


def _furthest(z: Floats, quantile: float) -> Floats:
    """The quantile of |z − mean| of each row of z (Z, n), linear between the two nearest."""
    away = np.abs(z - z.mean(1, keepdims=True))
    place = (z.shape[1] - 1) * quantile
    low = int(place)
    away.partition(low, axis=1)
    high = away[:, low + 1 :].min(1) if low + 1 < z.shape[1] else away[:, low]
    return np.asarray(away[:, low] + (place - low) * (high - away[:, low]))
