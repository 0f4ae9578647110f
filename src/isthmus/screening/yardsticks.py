"""The scale on which distances between data are taken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from isthmus.data import Source
from isthmus.data.scaling import moments
from isthmus.data.spec import CONTINUOUS, DataSpec
from isthmus.outliers import Floats


class Yardstick(ABC):
    """A map of rows (N, F) to where their distances mean the same in every column."""

    @abstractmethod
    def there(self, x: Floats) -> Floats:
        """Data in their units -> rows that distances are taken between."""

    @abstractmethod
    def back(self, rows: Floats) -> Floats:
        """The inverse of `there`."""


@final
class AsTheyAre(Yardstick):
    """All elements are of one unit: pixels, or zeros and ones."""

    def there(self, x: Floats) -> Floats:
        return x

    def back(self, rows: Floats) -> Floats:
        return rows


@final
class Roots(Yardstick):
    """Square roots of counts, whose scatter does not grow with their mean.

    Reference:
        Bartlett, The square root transformation in analysis of variance, JRSS supplement 3, 1936.
    """

    def there(self, x: Floats) -> Floats:
        return np.sign(x) * np.sqrt(np.abs(x))

    def back(self, rows: Floats) -> Floats:
        return np.sign(rows) * np.square(rows)


@final
class Standardised(Yardstick):
    """Columns of different units, each less its mean and over its spread.

    Args:
        shift: (F,).
        scale: (F,), 1 for a column that does not vary.
    """

    def __init__(self, shift: Floats, scale: Floats) -> None:
        self._shift, self._scale = shift, scale

    def there(self, x: Floats) -> Floats:
        rows: Floats = (x - self._shift) / self._scale
        return rows

    def back(self, rows: Floats) -> Floats:
        x: Floats = rows * self._scale + self._shift
        return x


def of_columns(spec: DataSpec) -> bool:
    """Whether data are columns of numbers, each of its own unit."""
    return spec.kind == "table" and spec.support in CONTINUOUS


def yardstick_of(known: Source) -> Yardstick:
    """The scale for data like these.

    Columns of numbers are standardised by them, in one pass; counts go by their square roots, and
    images, zeros and ones as they are.
    """
    spec = known.spec
    if spec.support == "count":
        return Roots()
    if of_columns(spec):
        found = moments(known, by_column=True)
        return Standardised(found.shift.flatten().numpy(), found.scale.flatten().numpy())
    return AsTheyAre()
