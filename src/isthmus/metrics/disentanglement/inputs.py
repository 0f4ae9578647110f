"""Codes with their factors: what every measure asks of them, bins, and a split in two."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats, as_rows, same_length

Ints = NDArray[np.int64]
# The reference's bins of a latent, and its numbers of points to fit on and to score.
BINS = 20
TRAIN, TEST = 10_000, 5_000


@final
class Halves(NamedTuple):
    """Codes (N, Z) and factors (N, F) to fit on, and others to score."""

    train_codes: Floats
    train_factors: Ints
    test_codes: Floats
    test_factors: Ints


def as_factors(factors: ArrayLike) -> Ints:
    """Factors as whole numbers.

    Args:
        factors: (N, F), or (N,) for a single one; floats count where they are whole.

    Raises:
        DataError: There are none, or one is NaN or has a fraction.
    """
    rows = as_rows(factors, "factors")
    whole = rows.astype(np.int64)
    if (whole != rows).any():
        row, column = np.argwhere(whole != rows)[0]
        raise DataError(
            f"Factor {column} holds {rows[row, column]:g} in row {row}; this measure needs whole "
            "numbers: bin continuous factors first with discretise(factors)."
        )
    return whole


def paired(codes: ArrayLike, factors: ArrayLike) -> tuple[Floats, Ints]:
    """Finite codes (N, Z) and whole factors (N, F) of the same N.

    Raises:
        DataError: They are not.
    """
    rows, values = as_rows(codes, "codes"), as_factors(factors)
    same_length(rows, values, "codes and factors")
    return rows, values


def ranked(factors: Ints) -> tuple[Ints, tuple[int, ...]]:
    """Each factor's values (N, F) renamed 0 … size − 1 in their order, and the sizes."""
    found = [ranks(column) for column in factors.T]
    return np.stack([place for _, place in found], 1), tuple(len(values) for values, _ in found)


def ranks(column: Ints) -> tuple[Ints, Ints]:
    """The distinct values in their order, and which of them each is (N,)."""
    least, most = int(column.min()), int(column.max())
    if most - least > len(column):
        values, places = np.unique(column, return_inverse=True)
        return values, places
    # Values that lie close are counted, which is quicker than sorting them.
    places = column - least
    there = np.bincount(places) > 0
    return np.flatnonzero(there) + least, (np.cumsum(there) - 1).take(places)


def discretise(values: ArrayLike, bins: int = BINS) -> Ints:
    """The bin of each value, of equally wide ones between each column's least and largest.

    Args:
        values: (N, Z).
        bins: Their number.

    Returns:
        (N, Z) from 1 to `bins`; a constant column lies in a single bin.

    Raises:
        DataError: A value is NaN or infinite.
        OptionError: There is no bin.
    """
    if bins < 1:
        raise OptionError(f"The number of bins is {bins}; at least 1 is needed.")
    rows = as_rows(values, "values")
    found = np.empty(rows.shape[::-1], dtype=np.int64)
    for j, column in enumerate(np.ascontiguousarray(rows.T)):
        found[j] = _bins(column, np.histogram_bin_edges(column, bins))
    return found.T


def _bins(column: Floats, edges: Floats) -> Ints:
    """The bin of each value, from 1, between edges (bins + 1,) that lie equally far apart."""
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    # Rounding leaves this at most one bin beside what the edges say.
    found = ((column - edges[0]) / width).astype(np.int64)
    found -= column < np.append(edges[:-1], np.inf).take(found)
    found += column >= np.append(edges[1:-1], np.inf).take(found)
    found += 1
    return found


def draw_rows(n: int, wanted: int, seed: int) -> Ints:
    """At most `wanted` of n rows, in random order."""
    return np.random.default_rng(seed).permutation(n)[:wanted]


def halves(
    codes: ArrayLike, factors: ArrayLike, *, seed: int, train: int = TRAIN, test: int = TEST
) -> Halves:
    """Rows to fit on and others to score, drawn without replacement.

    Where there are fewer than `train` + `test` rows, all are used in that proportion.

    Args:
        codes: (N, Z).
        factors: (N, F) whole numbers.
        seed: Of the draw.
        train: Rows to fit on, at most.
        test: Rows to score, at most.

    Raises:
        DataError: The two do not fit, or there are fewer than two rows.
        OptionError: A number of rows is less than 1.
    """
    if train < 1 or test < 1:
        raise OptionError(f"train={train} and test={test} rows were asked for; both must be >= 1.")
    z, f = paired(codes, factors)
    if len(z) < 2:
        raise DataError("There is one row; a measure that fits and scores needs at least two.")
    total = min(len(z), train + test)
    first = min(max(round(total * train / (train + test)), 1), total - 1)
    order = draw_rows(len(z), total, seed)
    fit, score = order[:first], order[first:]
    return Halves(
        z.take(fit, axis=0), f.take(fit, axis=0), z.take(score, axis=0), f.take(score, axis=0)
    )


def both(
    train_codes: ArrayLike, train_factors: ArrayLike, test_codes: ArrayLike, test_factors: ArrayLike
) -> Halves:
    """The two pairs, checked.

    Raises:
        DataError: A pair does not fit, or the two have other numbers of latents or factors.
    """
    found = Halves(*paired(train_codes, train_factors), *paired(test_codes, test_factors))
    for fitted, scored, what in (
        (found.train_codes, found.test_codes, "latents"),
        (found.train_factors, found.test_factors, "factors"),
    ):
        if fitted.shape[1] != scored.shape[1]:
            raise DataError(
                f"The rows to fit on have {fitted.shape[1]} {what} and those to score "
                f"{scored.shape[1]}; both must have the same."
            )
    return found


def top_gap(scores: Floats) -> Floats:
    """Per column of `scores` (Z, F) the largest less the second largest; with one row, itself."""
    ordered = np.sort(scores, axis=0)
    return np.asarray(ordered[-1] - (ordered[-2] if len(ordered) > 1 else 0.0))
