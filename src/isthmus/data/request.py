"""What a caller asked of the loader, and what each kind of input can do with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from isthmus.data.splits import MINIMUM_ROWS
from isthmus.errors import OptionError
from isthmus.registry import did_you_mean

KINDS = ("table", "image", "counts")
SUPPORTS = ("real", "unit", "binary", "count")
# What the labels are called as a condition.
LABEL = "label"
_ALWAYS = frozenset(
    {
        *("kind", "support", "name", "max_bytes", "min_rows", "labels", "condition", "missing"),
        # The source that comes of it says whether it holds images.
        *("crop", "flip"),
    }
)


@dataclass(frozen=True)
class Request:
    """The options of `load`, under the names that they have there."""

    kind: str | None = None
    support: str | None = None
    label: str | None = None
    labels: Any = None
    columns: Sequence[str | int] | None = None
    drop: Sequence[str | int] = ()
    image_size: int | tuple[int, int] | None = None
    grey: bool | None = None
    name: str | None = None
    max_bytes: int = 2**30
    min_rows: int = MINIMUM_ROWS
    condition: Any = None
    missing: bool = False
    crop: int | tuple[int, int] | None = None
    flip: bool = False

    @property
    def condition_names(self) -> tuple[str, ...]:
        """What is conditioned on by name; empty where it is nothing, or an array."""
        if isinstance(self.condition, str):
            return (self.condition,)
        by_name = isinstance(self.condition, (list, tuple)) and all(
            isinstance(name, str) for name in self.condition
        )
        return tuple(self.condition) if by_name else ()

    @property
    def condition_columns(self) -> tuple[str, ...]:
        """The columns of a table that are conditioned on, and so are not learned from."""
        return tuple(name for name in self.condition_names if name != LABEL)

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise did_you_mean("kind of data", self.kind, KINDS)
        if self.support is not None and self.support not in SUPPORTS:
            raise did_you_mean("support", self.support, SUPPORTS)

    def allow(self, what: str, takes: Iterable[str]) -> None:
        """Raise an `OptionError` for an option that was given and that `what` has no use for."""
        takes = _ALWAYS | set(takes)
        for field in fields(self):
            given = getattr(self, field.name)
            if (
                field.name not in takes
                and given is not None
                and given != ()
                and given != field.default
            ):
                raise OptionError(
                    f"{field.name}= does not apply to {what}; leave it out (it takes "
                    f"{', '.join(sorted(takes))})."
                )
