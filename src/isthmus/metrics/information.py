"""What a code carries: active units, and the unit of information."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError

T = TypeVar("T", float, NDArray[np.float64])


def bits(nats: T) -> T:
    """Nats as bits: nats / ln 2."""
    return nats / math.log(2)


def active_units(means: ArrayLike, threshold: float = 1e-2) -> NDArray[np.bool_]:
    """The latent dimensions that answer to the data: Var_x(E_q[z_j | x]) > threshold.

    Args:
        means: (N, *Z) posterior means.
        threshold: The least variance that counts, in squared units of the code.

    Returns:
        (*Z), True where the dimension is active.

    Raises:
        DataError: There are no rows.

    Reference:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 1509.00519.
    """
    codes = np.asarray(means, dtype=np.float64)
    if codes.ndim < 2 or len(codes) == 0:
        raise DataError(
            f"The posterior means have shape {codes.shape}; expected (N, Z), N at least 1."
        )
    return np.asarray(codes.var(axis=0) > threshold)
