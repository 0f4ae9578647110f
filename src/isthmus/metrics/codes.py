"""How a codebook is used: the share of its codes, and their effective number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError


def code_usage(indices: ArrayLike, n_codes: int) -> float:
    """The share of the codes that occur at all.

    Args:
        indices: (N, ..., C) integers from 0 to n_codes − 1; each of the last axis's C columns reads
            a codebook of its own, and theirs are averaged. A vector (N,) reads one.
        n_codes: K.

    Returns:
        From 1 / K to 1.

    Raises:
        DataError: There are no codes, or one is out of range.
    """
    return float((_frequencies(indices, n_codes) > 0).mean())


def code_perplexity(indices: ArrayLike, n_codes: int) -> float:
    """The effective number of codes: exp of the entropy of how often each occurs.

    Args:
        indices: (N, ..., C) integers, as `code_usage` takes them.
        n_codes: K.

    Returns:
        From 1 (one code alone) to K (all equally often); the mean over codebooks.

    Raises:
        DataError: There are no codes, or one is out of range.
    """
    p = _frequencies(indices, n_codes)
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(1)
    return float(np.exp(entropy).mean())


def _frequencies(indices: ArrayLike, n_codes: int) -> NDArray[np.float64]:
    """(C, K) how often each codebook's codes occur."""
    values = np.asarray(indices)
    columns = values.reshape(-1, 1 if values.ndim < 2 else values.shape[-1]).astype(np.int64)
    if not len(columns) or columns.min() < 0 or columns.max() >= n_codes:
        raise DataError(f"Usage needs at least one code, all of them from 0 to {n_codes - 1}.")
    return np.stack([np.bincount(c, minlength=n_codes) / len(c) for c in columns.T])
