"""What is known of a data set before any model sees it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from isthmus.errors import RunError

# Supports whose values have a density, so that log p(x) depends on the unit.
CONTINUOUS = frozenset({"real", "unit"})


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its kind ("number"), and its categories where it has
    some.
    """

    name: str
    kind: str = "number"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConditionColumn:
    """One thing that data are conditioned on: a number, shifted and scaled, or a category.

    Args:
        name: "label", or of the column.
        categories: The values in the order of the one-hot code; empty for a number.
        shift: What is subtracted from a number.
        scale: What it is divided by then.
    """

    name: str
    categories: tuple[str, ...] = ()
    shift: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """How many numbers stand for it."""
        return len(self.categories) or 1


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
        condition: What each datum is conditioned on; empty where nothing was asked for.
        missing: Whether elements may be missing, as NaN.
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
    condition: tuple[ConditionColumn, ...] = ()
    missing: bool = False

    @property
    def condition_dim(self) -> int:
        """C, the numbers in one condition."""
        return sum(column.width for column in self.condition)

    @property
    def size(self) -> int:
        """Elements in one datum."""
        return math.prod(self.shape)

    @property
    def log_unit(self) -> float:
        """ln(unit), by which log p of an element falls in the data's own unit; 0 if no density."""
        return math.log(self.unit) if self.support in CONTINUOUS else 0.0

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
                    "condition": tuple(
                        ConditionColumn(**{**c, "categories": tuple(c["categories"])})
                        for c in values.get("condition", ())
                    ),
                }
            )
        except (KeyError, TypeError) as error:
            raise RunError(
                f"The data spec in config.json is not one of this version ({error}); train again, "
                "or read the run with the version that wrote it."
            ) from error
