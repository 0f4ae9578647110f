"""Files by suffix: which loader reads them; a loader files itself when it is imported."""

from __future__ import annotations

from pathlib import Path

from isthmus.data.request import Request
from isthmus.data.source import Source
from isthmus.errors import DataError
from isthmus.registry import Registry

FILES = Registry("file type")


def suffix_of(path: Path) -> str:
    """The registered suffix that the file's name ends with, or an empty string."""
    name = path.name.lower()
    return max((e.name for e in FILES if name.endswith(e.name)), key=len, default="")


def load_file(path: Path, request: Request) -> Source:
    """A source from a file, read as its suffix says.

    Raises:
        DataError: The suffix is not known, or the file is not what it says.
    """
    suffix = suffix_of(path)
    if not suffix:
        known = ", ".join(e.name for e in FILES)
        raise DataError(
            f"{path}: files called {path.suffix or path.name!r} are not known; expected one of "
            f"{known}, or a folder of images."
        )
    entry = FILES[suffix]
    request.allow(f"{suffix} files", entry.about["takes"])
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); expected data.")
    source: Source = entry.factory(path, request)
    return source


def unreadable(path: Path, what: str, error: Exception) -> DataError:
    """The error for a file that its library refuses."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(
        f"{path} is not a readable {what} file ({reason}); write it again, or correct its name."
    )
