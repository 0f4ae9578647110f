"""Seeded splits into train, validation and test.

Rows in memory are split exactly, by a permutation; rows of a stream by a hash of their number, so
that no list of rows is ever held. The test part is drawn first: it does not change with the other
two fractions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data.source import Source
from isthmus.errors import DataError, OptionError, RunError
from isthmus.registry import did_you_mean

PARTS = ("train", "validation", "test")
DEFAULT_FRACTIONS = (0.7, 0.1, 0.2)
MINIMUM_ROWS = 3

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def splitmix64(values: np.ndarray) -> np.ndarray:
    """The splitmix64 hash of each number.

    Args:
        values: Any shape, uint64.

    Returns:
        The same shape, uint64.

    Reference:
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014),
        https://doi.org/10.1145/2714064.2660195.
    """
    z = values + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def stream_seed(*key: int) -> int:
    """One 63-bit seed from several whole numbers, so that neighbouring keys give unrelated
    streams.
    """
    state = np.zeros(1, np.uint64)
    for number in key:
        state = splitmix64(state ^ np.array([number & _MASK], np.uint64))
    return int(state[0]) >> 1


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Raise an `OptionError` unless there are three positive fractions that sum to 1."""
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise OptionError(
            f"The split fractions {tuple(fractions)} cannot be used: give three positive numbers "
            "for "
            "train, validation and test that sum to 1, such as (0.7, 0.1, 0.2)."
        )


def check_part(part: str) -> None:
    """Raise an `UnknownNameError` for a part that there is not."""
    if part not in PARTS:
        raise did_you_mean("part of a split", part, PARTS)


class Indices(dict[str, Tensor]):
    """The rows of each part, (n,) int64 in ascending order; a mistyped part gets "did you mean"."""

    def __missing__(self, part: str) -> Tensor:
        raise did_you_mean("part of a split", part, PARTS)


def split_indices(
    n: int, seed: int, fractions: tuple[float, float, float], test_from: int | None = None
) -> Indices:
    """An exact seeded split of 0 .. n-1.

    Args:
        n: Number of rows, at least 3.
        seed: Of the permutation.
        fractions: Of train, validation and test.
        test_from: The first row of a test part that comes with the data; only the rows before it
            are then drawn from, and the validation part is its fraction of those.

    Raises:
        DataError: There are too few rows for three parts.
    """
    check_fractions(fractions)
    pool = n if test_from is None else test_from
    needed = MINIMUM_ROWS if test_from is None else MINIMUM_ROWS - 1
    if pool < needed or n < MINIMUM_ROWS:
        raise DataError(
            f"There {'is' if pool == 1 else 'are'} {pool} row{'' if pool == 1 else 's'} to split, "
            "but train, "
            f"validation and test need at least one each ({needed} here): give more data."
        )
    generator = torch.Generator().manual_seed(stream_seed(seed))
    shuffled = torch.randperm(pool, generator=generator)
    n_test = 0 if test_from is not None else min(max(round(fractions[2] * n), 1), n - 2)
    n_validation = min(max(round(fractions[1] * pool), 1), pool - n_test - 1)
    test, validation, train = shuffled.split([n_test, n_validation, pool - n_test - n_validation])
    if test_from is not None:
        test = torch.arange(test_from, n)
    return Indices(train=train.sort()[0], validation=validation.sort()[0], test=test.sort()[0])


@dataclass(frozen=True)
class HashSplit:
    """One part of a split by hashed row number, for data that are not held in memory."""

    part: str
    seed: int
    fractions: tuple[float, float, float]

    def keep(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows (n,) uint64, by their number in the whole file, belong: (n,) bool."""
        uniform = splitmix64(rows ^ np.uint64(stream_seed(self.seed))) * 2.0**-64
        below_test = self.fractions[2]
        below_validation = self.fractions[2] + self.fractions[1]
        low, high = {
            "test": (0.0, below_test),
            "validation": (below_test, below_validation),
            "train": (below_validation, 2.0),
        }[self.part]
        return np.asarray((uniform >= low) & (uniform < high))


@dataclass(frozen=True)
class SplitRecord:
    """What is stored of a split, enough to draw it again.

    Args:
        seed: Of the draw.
        fractions: Of train, validation and test, as asked for.
        method: "permutation", "predefined" (the data's own test part) or "hash".
        sizes: Rows of train, validation and test, as drawn.
    """

    seed: int
    fractions: tuple[float, float, float]
    method: str
    sizes: tuple[int, int, int]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SplitRecord:
        """The inverse of `to_json`.

        Raises:
            RunError: The values are not a split's.
        """
        try:
            train, validation, test = (float(f) for f in values["fractions"])
            sizes = tuple(int(n) for n in values["sizes"])
            return cls(
                int(values["seed"]),
                (train, validation, test),
                str(values["method"]),
                (sizes[0], sizes[1], sizes[2]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RunError(
                f"The stored split cannot be read ({error!r}): it needs seed, fractions, method "
                "and sizes; "
                "train again, or restore the file."
            ) from error


@dataclass(frozen=True)
class Split:
    """A source in three parts, and the record of how they were drawn."""

    train: Source
    validation: Source
    test: Source
    record: SplitRecord


def split(
    source: Source, seed: int = 0, fractions: tuple[float, float, float] = DEFAULT_FRACTIONS
) -> Split:
    """Draw train, validation and test from a source.

    Args:
        source: At least 3 data.
        seed: The same seed gives the same parts.
        fractions: Of train, validation and test; they sum to 1.

    Raises:
        DataError: There are too few data.
        OptionError: The fractions cannot be used.
    """
    train, validation, test = (source.subset(part, seed, fractions) for part in PARTS)
    sizes = (len(train), len(validation), len(test))
    record = SplitRecord(seed, fractions, source.split_method, sizes)
    return Split(train, validation, test, record)
