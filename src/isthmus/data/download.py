"""Files fetched once into a cache folder, and believed only after their checksum."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import DataError

_TIMEOUT = 20.0
_BLOCK = 2**20


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Args:
        url: Where it is.
        md5: The checksum that its publisher states.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """Its own name."""
        return self.url.rpartition("/")[2]


def cache_folder() -> Path:
    """ISTHMUS_CACHE, or the platform's folder for caches."""
    given = os.environ.get("ISTHMUS_CACHE")
    if given:
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "isthmus"
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "isthmus"


def fetch(remote: Remote, folder: Path) -> Path:
    """The file in `folder`, downloaded if it is not there yet.

    It appears under its name only when it is whole and its checksum is right.

    Raises:
        DataError: There is no network, or another file came.
    """
    path = folder / remote.name
    if path.exists():
        return path
    partial: Path | None = None
    try:
        with urllib.request.urlopen(remote.url, timeout=_TIMEOUT) as answer:
            folder.mkdir(parents=True, exist_ok=True)
            digest = hashlib.md5(usedforsecurity=False)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".partial-", delete=False) as file:
                partial = Path(file.name)
                while block := answer.read(_BLOCK):
                    digest.update(block)
                    file.write(block)
        if digest.hexdigest() != remote.md5:
            raise DataError(
                f"{remote.url} gave a file with the md5 sum {digest.hexdigest()}, expected "
                f"{remote.md5}; it was not kept: "
                "try again, or fetch the file by hand."
            )
        os.replace(partial, path)
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{remote.url} could not be downloaded ({reason})") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return path
