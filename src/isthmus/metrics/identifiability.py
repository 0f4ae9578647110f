"""How well codes recover known sources, up to their order, sign and scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from isthmus.errors import DataError


def mean_correlation(sources: ArrayLike, codes: ArrayLike, *, by_rank: bool = False) -> float:
    """The mean correlation coefficient (MCC) of sources and codes under the best matching.

    Each source is matched with a code of its own so that the sum of |correlation| is largest; the
    mean of those is 1 for codes that are the sources in another order, sign and scale.

    Args:
        sources: (N, K) the true sources.
        codes: (N, Z), Z at least K.
        by_rank: Spearman's correlation, which any increasing map of a source leaves at 1, in place
            of Pearson's.

    Returns:
        Between 0 and 1.

    Raises:
        DataError: The shapes do not fit, or there are fewer codes than sources.

    Reference:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA, arXiv 1907.04809, appendix.
    """
    s, z = np.asarray(sources, np.float64), np.asarray(codes, np.float64)
    if s.ndim != 2 or z.ndim != 2 or len(s) != len(z) or len(s) < 2:
        raise DataError(
            f"The sources have shape {s.shape} and the codes {z.shape}; expected (N, K) and (N, Z) "
            "of the same N, at least 2."
        )
    if z.shape[1] < s.shape[1]:
        raise DataError(
            f"{s.shape[1]} sources cannot be matched with {z.shape[1]} codes: train with a "
            f"latent_dim of at least {s.shape[1]}."
        )
    if by_rank:
        s, z = rankdata(s, axis=0), rankdata(z, axis=0)
    found = np.abs(_unit(s).T @ _unit(z))
    rows, columns = linear_sum_assignment(found, maximize=True)
    return float(found[rows, columns].mean())


def _unit(values: np.ndarray) -> np.ndarray:
    """Columns without their mean and of length 1; a constant one is 0."""
    centred = values - values.mean(0)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(length > 0, length, 1.0))
