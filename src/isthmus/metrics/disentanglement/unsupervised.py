"""How dependent latents are of each other: no factors needed."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.disentanglement.inputs import BINS, TRAIN, discretise, draw_rows
from isthmus.metrics.disentanglement.mutual import mutual_information


@final
class Dependence(NamedTuple):
    """How far latents are from independent, 0 where they are.

    Args:
        total_correlation: Of the Gaussian of their covariance, in nats.
        wasserstein: Squared 2-Wasserstein distance of that Gaussian from the product of its
            marginals, in squared units of the code.
        wasserstein_normalised: The same over the sum of the variances.
        mutual_information: Mean over pairs of binned latents, in nats.
    """

    total_correlation: float
    wasserstein: float
    wasserstein_normalised: float
    mutual_information: float


def gaussian_total_correlation(covariance: ArrayLike) -> float:
    """½ (Σ_j log S_jj − log det S) in nats, of a covariance S (Z, Z).

    Latents of no variance are left out; latents that determine each other give infinity.
    """
    s = _varying(np.asarray(covariance, dtype=np.float64))
    if not len(s):
        return 0.0
    scale = np.sqrt(np.diag(s))
    sign, log_det = np.linalg.slogdet(s / np.outer(scale, scale))
    return max(-0.5 * float(log_det), 0.0) if sign > 0 else float("inf")


def gaussian_wasserstein_correlation(covariance: ArrayLike) -> float:
    """2 tr S − 2 tr (S diag S)^½, in squared units of the code, of a covariance S (Z, Z)."""
    s = np.asarray(covariance, dtype=np.float64)
    scale = np.sqrt(np.diag(s))
    # S diag(S) has the eigenvalues of this symmetric matrix, which has a real root.
    eigenvalues = np.linalg.eigvalsh(s * np.outer(scale, scale))
    return max(2.0 * float(np.trace(s) - np.sqrt(np.maximum(eigenvalues, 0.0)).sum()), 0.0)


def dependence(
    codes: ArrayLike, *, seed: int = 0, rows: int = TRAIN, bins: int = BINS
) -> Dependence:
    """The unsupervised scores of codes; lower is more independent, which is not yet disentangled.

    Args:
        codes: (N, Z) posterior means, N at least 2.
        seed: Of the rows that are drawn where there are more than `rows`.
        rows: Rows that are looked at, at most.
        bins: Of each latent, for the mutual information.

    Returns:
        All 0 for a single latent, and for constant ones.

    Raises:
        DataError: A code is not finite.

    Reference:
        Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations, arXiv 1811.12359.
    """
    z = as_rows(codes, "codes")
    if len(z) > rows:
        z = z[draw_rows(len(z), rows, seed)]
    s = np.atleast_2d(np.cov(z.T)) if len(z) > 1 else np.zeros((z.shape[1],) * 2)
    wasserstein, total = gaussian_wasserstein_correlation(s), float(np.trace(s))
    return Dependence(
        gaussian_total_correlation(s),
        wasserstein,
        wasserstein / total if total > 0 else 0.0,
        _mean_pair(z, bins),
    )


def _varying(s: Floats) -> Floats:
    kept = np.diag(s) > 0
    return np.asarray(s[np.ix_(kept, kept)])


def _mean_pair(z: Floats, bins: int) -> float:
    width = z.shape[1]
    if width < 2:
        return 0.0
    binned = discretise(z, bins)
    information = mutual_information(binned, binned)
    return float((information.sum() - np.trace(information)) / (width * (width - 1)))
