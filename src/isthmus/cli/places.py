"""Where results go: free folder names, and nothing left behind by what failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import RunError

RUNS = Path("runs")


def free_folder(name: str) -> Path:
    """`runs/NAME`, or the first of `runs/NAME-2`, `-3`, ... that there is not."""
    return next(folder for folder in _numbered(name) if not folder.exists())


def latest_folder(name: str) -> Path:
    """The last of `runs/NAME`, `runs/NAME-2`, ... that there is.

    Raises:
        RunError: There is none.
    """
    latest = None
    for folder in _numbered(name):
        if not folder.exists():
            break
        latest = folder
    if latest is None:
        raise RunError(f"There is no run {RUNS / name} to resume: name its folder with -o.")
    return latest


def _numbered(name: str) -> Iterator[Path]:
    yield RUNS / name
    number = 2
    while True:
        yield RUNS / f"{name}-{number}"
        number += 1


@contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """Folders above `path` made where they were missing, and taken away again if the work fails.

    Raises:
        RunError: One of them is a file, or may not be written.
    """
    missing = [parent for parent in path.absolute().parents if not parent.exists()]
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"The folder {path.parent} cannot be made ({error.strerror}): choose another -o."
        ) from error
    try:
        yield
    except BaseException:
        for parent in missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


@contextmanager
def clean_start(folder: Path, begun: Path) -> Iterator[None]:
    """A new folder is taken away again if the work fails before the file `begun` is in it."""
    new = not folder.exists()
    with parents_of(folder):
        try:
            yield
        except BaseException:
            if new and folder.is_dir() and not (folder / begun).exists():
                shutil.rmtree(folder)
            raise
