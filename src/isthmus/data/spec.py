"""What is known of a data set before any model sees it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from isthmus.errors import RunError


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its kind ("number"), and its categories where it has
    some.
    """

    name: str
    kind: str = "number"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSpec:
    """What a source says of its data; recipes choose sizes and likelihoods by it.

    Args:
        kind: What one datum is: "table" (a row of numbers), "image" (C, H, W) or "counts" (a bag).
        shape: The event shape D of one datum, as the model sees it.
        support: The values of one element: "real", "unit" ([0, 1]), "binary" ({0, 1}), "count"
            (0, 1, 2, ...) or "category" (0 .. n_categories - 1).
        length: The number of data.
        name: What the data are called in reports.
        columns: The table's columns, or the vocabulary of a bag; empty where they have no names.
        n_categories: K for the support "category".
        classes: Names of the labels' classes; empty where there are no labels.
        factors: Name and number of values of each known factor of variation.
        unit: The multiple of the data's own unit that 1.0 stands for (16.0 for digits stored as x
            / 16).
    """

    kind: str
    shape: tuple[int, ...]
    support: str
    length: int
    name: str = "data"
    columns: tuple[Column, ...] = ()
    n_categories: int = 0
    classes: tuple[str, ...] = ()
    factors: tuple[tuple[str, int], ...] = ()
    unit: float = 1.0

    @property
    def size(self) -> int:
        """Elements in one datum."""
        return math.prod(self.shape)

    def with_length(self, length: int) -> DataSpec:
        """The same for another number of data."""
        return replace(self, length=length)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DataSpec:
        """The inverse of `to_json`."""
        try:
            return cls(
                **{
                    **values,
                    "shape": tuple(values["shape"]),
                    "columns": tuple(
                        Column(c["name"], c["kind"], tuple(c["categories"]))
                        for c in values["columns"]
                    ),
                    "classes": tuple(values["classes"]),
                    "factors": tuple((name, int(size)) for name, size in values["factors"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise RunError(
                f"The data spec in config.json is not one of this version ({error}); train again, "
                "or read the run with the version that wrote it."
            ) from error
