"""The face that classical methods share, and what only some of them can do.

A baseline has a code and a reconstruction. Whether it has a density, a linear-Gaussian posterior or
samples is said by its type: `isinstance(baseline, HasDensity)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.registry import Registry

Floats = NDArray[np.float64]

BASELINES = Registry("baseline")


class Baseline(ABC):
    """A classical method with `latent_dim` numbers per datum; learned facts are there after `fit`.

    Attributes:
        name: What it is called in reports.
        needs_non_negative: Whether it refuses data below zero.
        latent_dim: Z; what was asked for until `fit`, then what the data allow.
        n_parameters: The count of learned numbers that encode and decode, and the density, need.
        notes: One sentence for each thing that `fit` changed or could not finish.
    """

    name: ClassVar[str]
    needs_non_negative: ClassVar[bool] = False
    n_parameters: int = 0
    notes: tuple[str, ...] = ()

    def __init__(self, latent_dim: int, seed: int = 0) -> None:
        if latent_dim < 1:
            raise OptionError(f"latent_dim is {latent_dim}; a code needs at least 1 number.")
        self.latent_dim = latent_dim
        self._asked = latent_dim
        self._seed = seed

    @abstractmethod
    def fit(self, x: Floats) -> Self:
        """Learn from data.

        Args:
            x: (N, D), N at least 2.

        Raises:
            DataError: Fewer than two rows, no column that varies, or a value that is not finite.
        """

    @abstractmethod
    def encode(self, x: Floats) -> Floats:
        """The codes of data: (N, D) -> (N, Z)."""

    @abstractmethod
    def decode(self, z: Floats) -> Floats:
        """The reconstructions of codes: (N, Z) -> (N, D)."""


class HasDensity(ABC):
    """It says how probable a datum is."""

    @abstractmethod
    def log_likelihood(self, x: Floats) -> Floats:
        """The density log p(x) in nats: (N, D) -> (N,)."""


class HasPosterior(ABC):
    """A linear-Gaussian model: z ~ N(0, I), x | z Gaussian, so that q(z|x) is known exactly.

    Its bound is tight: -(rate + distortion) is log p(x).
    """

    @abstractmethod
    def posterior(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean (N, Z) and covariance (Z, Z), which is one for all data, of p(z|x)."""

    @abstractmethod
    def rate(self, x: Floats) -> Floats:
        """KL(p(z|x) ‖ N(0, I)) in nats: (N, D) -> (N,)."""

    @abstractmethod
    def distortion(self, x: Floats) -> Floats:
        """E[-log p(x|z)] over the posterior, in nats: (N, D) -> (N,)."""


class CanSample(ABC):
    """It makes new data."""

    @abstractmethod
    def sample(self, n: int, seed: int) -> Floats:
        """`n` new data (n, D), the same for the same seed."""


def training_matrix(x: ArrayLike) -> Floats:
    """`x` as (N, D) float64 that something can be learned from.

    Raises:
        DataError: Fewer than two rows, no column that varies, or a value that is not finite.
    """
    rows = _matrix(x, "data")
    if len(rows) < 2:
        raise DataError(
            f"The data have {len(rows)} row; a baseline needs at least two to learn from."
        )
    if not varying(rows).any():
        raise DataError("Every column of the data is constant; there is nothing to encode.")
    return rows


def rows_of(x: ArrayLike, width: int, what: str) -> Floats:
    """`x` as (N, width) float64; `what` it is, "data" or "codes", goes into the error.

    Raises:
        DataError: Another shape, or a value that is not finite.
    """
    rows = _matrix(x, what)
    if rows.shape[1] != width:
        raise DataError(f"The {what} have {rows.shape[1]} columns; this baseline expects {width}.")
    return rows


def _matrix(x: ArrayLike, what: str) -> Floats:
    rows = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2:
        raise DataError(f"The {what} have shape {rows.shape}; a baseline expects (rows, columns).")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise DataError(f"The {what} hold {rows[row, column]} in row {row}, column {column}.")
    return rows


def varying(x: Floats) -> NDArray[np.bool_]:
    """Which columns of (N, D) hold more than one value: (D,)."""
    return np.asarray(x.min(axis=0) < x.max(axis=0))


def clipped(asked: int, most: int) -> tuple[int, tuple[str, ...]]:
    """`asked` latent dimensions, or the `most` that the data allow and a note that says so."""
    if asked <= most:
        return asked, ()
    return most, (f"latent_dim was {asked}; these data allow {most}, which was used.",)


def not_fitted(name: str) -> UnsupportedError:
    """The error for a question that comes before `fit`."""
    return UnsupportedError(f"{name} has learned nothing yet; call fit(x) with (N, D) data first.")
