"""The Fréchet distance between Gaussians fitted to two sets of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    r"""The squared 2-Wasserstein distance of the Gaussians with the sets' means and covariances.

    .. math::
        |m_1 - m_2|^2 + \mathrm{tr}(S_1 + S_2 - 2 (S_1^{1/2} S_2 S_1^{1/2})^{1/2})

    In the features of an Inception network it is called FID. The estimate is biased upwards: of one
    distribution, two sets of N rows of F uncorrelated features are about F (F + 5) / (2 N) times
    their variance apart. So compare only figures of equally many rows, beside that of two sets of
    real data. Sets of equal means and covariances are not told apart.

    Args:
        first: (N, *F) features.
        second: (M, *F) features of the other set, in the same space.

    Returns:
        From 0 up, in squared units of the features.

    Raises:
        DataError: Fewer than two rows of either, different columns, or a value that is not finite.

    Reference:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium, 1706.08500.
    """
    x, y = as_rows(first, "first features"), as_rows(second, "second features")
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise DataError(
            f"The features are {x.shape} and {y.shape}; expected at least two rows of each and "
            "equally many columns."
        )
    return gaussian_distance(x.mean(0), _covariance(x), y.mean(0), _covariance(y))


def gaussian_distance(
    mean: Floats, covariance: Floats, other_mean: Floats, other_covariance: Floats
) -> float:
    """The squared 2-Wasserstein distance of two Gaussians, from means (F,), covariances (F, F)."""
    apart = np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance)
    # tr (S^1/2 T S^1/2)^1/2 is the sum of the singular values of S^1/2 T^1/2.
    shared = np.linalg.svd(_root(covariance) @ _root(other_covariance), compute_uv=False).sum()
    return float(max(apart - 2.0 * shared, 0.0))


def _covariance(rows: Floats) -> Floats:
    return np.atleast_2d(np.cov(rows, rowvar=False))


def _root(covariance: Floats) -> Floats:
    values, axes = np.linalg.eigh(covariance)
    root: Floats = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
    return root
