"""How data were asked for: a run remembers it, so that like data are read the same way later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from isthmus.errors import RunError


@final
@dataclass(frozen=True)
class Reading:
    """What was loaded, and with which options.

    Args:
        data: A path or the name of a data set, as it was given; None for an object in memory.
        options: Of `load`, where they were not the default, as JSON values; those of a named data
            set among them. Labels and conditions given as arrays are left out.
    """

    data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"data": self.data, "options": dict(self.options)}

    @classmethod
    def from_json(cls, values: Any) -> Reading:
        """The inverse of `to_json`; the empty reading from None, as older runs have it.

        Raises:
            RunError: They are other values.
        """
        if values is None:
            return cls()
        try:
            return cls(values["data"], dict(values["options"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"The reading in config.json is not one of this version ({error}); read the run "
                "with the version that wrote it."
            ) from error
