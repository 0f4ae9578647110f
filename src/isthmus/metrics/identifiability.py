"""How well codes recover known sources, up to their order, sign and scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from isthmus.errors import DataError
from isthmus.metrics.checks import as_rows


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
        DataError: The shapes do not fit, a value is not finite, or codes are fewer than sources.

    Reference:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA, arXiv 1907.04809, appendix.
    """
    s, z = _matched(sources, codes)
    if by_rank:
        s, z = rankdata(s, axis=0), rankdata(z, axis=0)
    found = np.abs(_unit(s).T @ _unit(z))
    rows, columns = linear_sum_assignment(found, maximize=True)
    return float(found[rows, columns].mean())


def canonical_correlation(sources: ArrayLike, codes: ArrayLike) -> float:
    """The mean canonical correlation: how well codes recover sources up to any linear map.

    It is the weak form of `mean_correlation`, which asks for the sources one by one: the mean
    correlation of the K pairs of directions, uncorrelated among themselves, that correlate most.
    Of independent codes it comes to about sqrt(Z / N) and not to 0, so N should be many times Z.

    Args:
        sources: (N, K) the true sources, or the codes of another model.
        codes: (N, Z), Z at least K.

    Returns:
        Between 0 and 1; directions that either side lacks count 0.

    Raises:
        DataError: The shapes do not fit, there are fewer codes than sources, or not more data than
            codes.

    Reference:
        Khemakhem et al., ICE-BeeM, arXiv 2002.11537; Hotelling, Relations between Two Sets of
        Variates, Biometrika 28, 1936.
    """
    s, z = _matched(sources, codes)
    if len(s) <= z.shape[1]:
        raise DataError(
            f"{len(s)} data fit {z.shape[1]} codes by any linear map; give more data than codes."
        )
    found = np.linalg.svd(_directions(s).T @ _directions(z), compute_uv=False)
    return float(np.minimum(found, 1.0).sum() / s.shape[1])


def _matched(sources: ArrayLike, codes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (N, K) and (N, Z), Z at least K."""
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
    return as_rows(s, "sources"), as_rows(z, "codes")


def _directions(values: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the centred ones."""
    left, size, _ = np.linalg.svd(_unit(values), full_matrices=False)
    return np.asarray(left[:, size > 1e-10 * max(size[0], 1.0)])


def _unit(values: np.ndarray) -> np.ndarray:
    """Columns without their mean and of length 1; a constant one is 0."""
    centred = values - values.mean(0)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(length > 0, length, 1.0))
