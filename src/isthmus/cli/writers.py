"""Files of results by their suffix: each appears whole under its name, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

# The two register the writers.
import isthmus.cli.pictures
import isthmus.cli.tabular  # noqa: F401
from isthmus.cli.places import parents_of
from isthmus.cli.sinks import FOLDER, WRITERS, Layout, Sink
from isthmus.errors import OptionError
from isthmus.registry import did_you_mean


@final
@dataclass(frozen=True)
class Target:
    """A file or folder to write.

    Args:
        path: Where.
        kind: The name of its writer.
        overwrite: Whether it may replace what is there.
    """

    path: Path
    kind: str
    overwrite: bool = False

    @classmethod
    def at(cls, text: str, overwrite: bool = False) -> Target:
        """What the user wrote after -o.

        Raises:
            UnknownNameError: A suffix that no writer has.
            OptionError: There is something at this place already.
        """
        path = Path(text)
        named = path.suffix.lower()
        as_folder = text.endswith(("/", os.sep)) or not named or path.is_dir()
        if not as_folder and named not in WRITERS:
            raise did_you_mean("output file type", named, [e.name for e in WRITERS])
        kind = FOLDER if as_folder else named
        taken = any(path.iterdir()) if path.is_dir() else path.exists()
        if taken and not overwrite:
            raise OptionError(
                f"{path} exists already: choose another -o, or add --overwrite to replace it."
            )
        if as_folder and path.exists() and not path.is_dir():
            raise OptionError(f"{path} is a file, and a folder was asked for: choose another -o.")
        return cls(path, kind, overwrite)

    @contextmanager
    def open(self, layout: Layout) -> Iterator[Sink]:
        """A sink whose content takes the target's place when everything is written.

        Raises:
            OptionError: Such rows cannot be written to such a file.
        """
        entry = WRITERS[self.kind]
        images_only, tables_only = (
            entry.about.get("images", False),
            entry.about.get("tables", False),
        )
        if images_only and not layout.images:
            known = ", ".join(e.name for e in WRITERS if not {"images", "latents"} & e.about.keys())
            raise OptionError(
                f"{self.path}: {layout.what} are no images in [0, 1] and cannot be written as "
                f"pictures; give -o one of the suffixes {known}."
            )
        if tables_only and len(layout.shape) > 1:
            raise OptionError(
                f"{self.path}: {layout.what} of shape {layout.shape} are no rows of a table; give "
                "-o the suffix .npy or .png, or a folder."
            )
        with self.replacing() as temporary:
            sink: Sink = entry.factory(temporary, layout)
            try:
                yield sink
            finally:
                sink.close()

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """A path to write to; what is there at the end takes the target's place.

        Raises:
            OptionError: The target may not be written.
        """
        temporary = self.path.absolute().with_name(f".{self.path.name}.{os.getpid()}.tmp")
        with parents_of(self.path):
            try:
                yield temporary
                self._take_place(temporary)
            except PermissionError as error:
                raise OptionError(
                    f"{self.path} may not be written ({error.strerror}): choose another -o."
                ) from error
            finally:
                _remove(temporary)

    def _take_place(self, temporary: Path) -> None:
        if temporary.is_dir() and self.path.is_dir():
            for file in [p for p in temporary.rglob("*") if p.is_file()]:
                place = self.path / file.relative_to(temporary)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, place)
        else:
            os.replace(temporary, self.path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
