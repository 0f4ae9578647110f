"""Codes of data that share a factor's value: from rows at hand, or a function of the factors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.disentanglement.inputs import Ints, paired, ranked


class Interventions(ABC):
    """What can be asked for codes of data whose factor is held fixed.

    `n_factors` is F.
    """

    n_factors: int

    @abstractmethod
    def draw(self, n: int, random: Generator) -> Floats:
        """Codes (n, Z) of data drawn freely."""

    @abstractmethod
    def sharing(self, factor: int, groups: int, size: int, random: Generator) -> Floats:
        """Codes (groups, size, Z): in each group all data have one value of the factor.

        The value is that of a datum drawn freely; the other factors vary.
        """


@final
class Rows(Interventions):
    """Interventions by choosing among rows at hand, with replacement.

    They are those of the reference where the rows hold every combination of factors equally often;
    else the other factors vary as they do among the rows of that value.

    Args:
        codes: (N, Z).
        factors: (N, F) whole numbers.
        fewest: Rows that each value of each factor must have.

    Raises:
        DataError: The arrays do not fit, or a value has too few rows.
    """

    def __init__(self, codes: ArrayLike, factors: ArrayLike, fewest: int = 2) -> None:
        self._codes, factor_values = paired(codes, factors)
        values, sizes = ranked(factor_values)
        self.n_factors = len(sizes)
        self._values = np.ascontiguousarray(values.T)
        self._orders = np.argsort(self._values, axis=1, kind="stable")
        self._counts = [
            np.bincount(c, minlength=n) for c, n in zip(self._values, sizes, strict=True)
        ]
        for k, counts in enumerate(self._counts):
            rare = int(counts.argmin())
            if counts[rare] < fewest:
                value = factor_values[self._orders[k, counts[:rare].sum()], k]
                raise DataError(
                    f"Factor {k} has the value {value} in {counts[rare]} row(s); holding it fixed "
                    f"needs at least {fewest}: give more rows, or bin the factor more coarsely."
                )

    def draw(self, n: int, random: Generator) -> Floats:
        return np.asarray(self._codes[random.integers(len(self._codes), size=n)])

    def sharing(self, factor: int, groups: int, size: int, random: Generator) -> Floats:
        counts = self._counts[factor]
        chosen = self._values[factor][random.integers(len(self._codes), size=groups)]
        places = random.random((groups, size))
        places *= counts[chosen][:, None]
        # The integer part is the place among the rows of that value, which lie together.
        order = places.astype(np.int64)
        order += (np.cumsum(counts) - counts)[chosen][:, None]
        return self._codes.take(self._orders[factor].take(order), axis=0)


@final
class Grid(Interventions):
    """Interventions by a function from factors to codes, over all combinations of their values.

    Args:
        encode: Codes (n, Z) of factors (n, F): a simulator and an encoder, or a table.
        sizes: How many values 0 … size − 1 each of the F factors has.
    """

    def __init__(self, encode: Callable[[Ints], ArrayLike], sizes: Sequence[int]) -> None:
        if not sizes or min(sizes) < 1:
            raise OptionError(f"The factors' sizes are {tuple(sizes)}; each must be at least 1.")
        self._encode = encode
        self.sizes = tuple(sizes)
        self.n_factors = len(self.sizes)

    @classmethod
    def of(cls, codes: ArrayLike, factors: ArrayLike) -> Grid:
        """The grid whose every combination of factors (N, F) is among the rows, once or more.

        Where a combination has several rows the first one stands for it.

        Raises:
            DataError: A combination is missing.
        """
        z, f = paired(codes, factors)
        values, sizes = ranked(f)
        cells = np.ravel_multi_index(tuple(values.T), sizes)
        found, first = np.unique(cells, return_index=True)
        if len(found) < (total := int(np.prod(sizes))):
            raise DataError(
                f"{len(found):,} of the {total:,} combinations of the factors are among the rows; "
                "this needs all of them: give a full grid, or Grid(encode, sizes) of a simulator."
            )
        table = z[first]
        return cls(lambda asked: table[np.ravel_multi_index(tuple(asked.T), sizes)], sizes)

    def factors(self, n: int, random: Generator) -> Ints:
        """Combinations (n, F), all equally likely."""
        return random.integers(np.array(self.sizes), size=(n, self.n_factors))

    def codes(self, factors: Ints) -> Floats:
        """Codes (n, Z) of factors (n, F)."""
        return as_rows(self._encode(factors), "codes")

    def draw(self, n: int, random: Generator) -> Floats:
        return self.codes(self.factors(n, random))

    def sharing(self, factor: int, groups: int, size: int, random: Generator) -> Floats:
        asked = self.factors(groups * size, random).reshape(groups, size, -1)
        asked[..., factor] = asked[:, :1, factor]
        return self.codes(asked.reshape(groups * size, -1)).reshape(groups, size, -1)
