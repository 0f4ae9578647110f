"""What a sparse code uses, what it keeps, and whether it found the true directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows, same_length


def l0(codes: ArrayLike) -> float:
    """The mean number of latents of a datum that differ from 0.

    Args:
        codes: (N, *Z).

    Raises:
        DataError: There are no codes, or a value is not finite.
    """
    return float((as_rows(codes, "codes") != 0).sum(1).mean())


def latent_density(codes: ArrayLike) -> Floats:
    """How often each latent differs from 0, as a share of the data.

    Args:
        codes: (N, *Z).

    Returns:
        (Z,), flattened.

    Raises:
        DataError: There are no codes, or a value is not finite.
    """
    return np.asarray((as_rows(codes, "codes") != 0).mean(0))


def dead_share(codes: ArrayLike) -> float:
    """The share of latents that are 0 for all data.

    Args:
        codes: (N, *Z); the more data, the fewer latents look dead.

    Raises:
        DataError: There are no codes, or a value is not finite.
    """
    return float((latent_density(codes) == 0).mean())


def explained_variance(x: ArrayLike, x_hat: ArrayLike) -> float:
    """1 - sum of Var(x - x_hat) / sum of Var(x) over elements: the variance that is kept.

    Unlike R² it forgives a constant offset of the reconstruction.

    Args:
        x: (N, *D) data.
        x_hat: (N, *D) their reconstructions.

    Raises:
        DataError: The shapes differ, the data do not vary, or a value is not finite.
    """
    x, x_hat = as_rows(x, "data"), as_rows(x_hat, "reconstructions")
    same_length(x, x_hat, "data and their reconstructions")
    if x.shape != x_hat.shape:
        raise DataError(f"The data have {x.shape[1]} elements, their rebuilds {x_hat.shape[1]}.")
    total = x.var(0).sum()
    if total == 0:
        raise DataError("The data do not vary, so no share of their variance can be explained.")
    return float(1 - (x - x_hat).var(0).sum() / total)


def mean_max_cosine(directions: ArrayLike, truth: ArrayLike) -> float:
    """How well known directions are found: the mean over them of the best cosine with any learned.

    Args:
        directions: (Z, *D) learned directions, of any length; those of length 0 match nothing.
        truth: (G, *D) the known ones.

    Returns:
        1 where each known direction is among the learned.

    Raises:
        DataError: They have not as many elements, or a value is not finite.

    Reference:
        Sharkey, Braun and Millidge, Taking Features out of Superposition with Sparse Autoencoders,
        2022.
    """
    learned, known = as_rows(directions, "directions"), as_rows(truth, "known directions")
    if learned.shape[1] != known.shape[1]:
        raise DataError(
            f"The directions have {learned.shape[1]} elements and the known ones {known.shape[1]}."
        )
    return float((_unit(known) @ _unit(learned).T).max(1).mean())


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)
