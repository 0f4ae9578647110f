"""Arrays on disk: `.npy` and `.npz`, never unpickled."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data.arrays import ARRAY_OPTIONS, from_array, stream_npy
from isthmus.data.formats import FILES, unreadable
from isthmus.data.request import Request
from isthmus.data.source import Source
from isthmus.data.sparse import from_sparse
from isthmus.errors import DataError

# Name of the array -> name of the array with the data set's own test part.
_DATA_KEYS = {
    "x": "",
    "X": "",
    "data": "",
    "train_images": "test_images",
    "x_train": "x_test",
}
_LABEL_KEYS = {"y": "", "labels": "", "train_labels": "test_labels", "y_train": "y_test"}


@FILES.register(".npy", takes=ARRAY_OPTIONS)
def load_npy(path: Path, request: Request) -> Source:
    """One array; beyond `max_bytes` as float32 it is streamed.

    Raises:
        DataError: It is no .npy file of numbers.
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise DataError(
                f"{path} is not a .npy file, whatever its name says; write it with numpy.save."
            )
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        if "object" in str(error).lower():
            raise DataError(
                f"{path} holds Python objects, which are never unpickled; save an array of numbers."
            ) from error
        raise unreadable(path, ".npy", error) from error
    name = replace(request, name=request.name or path.stem)
    if mapped.size * _stored_bytes(mapped) > request.max_bytes:
        return stream_npy(path, mapped, name)
    return from_array(np.asarray(mapped), name, str(path))


def _stored_bytes(array: np.ndarray) -> int:
    return 1 if array.dtype == np.uint8 and array.ndim > 2 else 4


@FILES.register(".npz", takes=ARRAY_OPTIONS)
def load_npz(path: Path, request: Request) -> Source:
    """An archive of arrays: the data, their labels and class names, or a scipy sparse matrix."""
    return load_archive(path, request)


def load_archive(path: Path, request: Request, classes: tuple[str, ...] = ()) -> Source:
    """A source from a `.npz` file whose labels may stand for known classes.

    Raises:
        DataError: It is no .npz archive of numbers.
    """
    try:
        # numpy would leave a file of its own open where the archive is cut.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is a single array, not an archive; call it .npy.")
            with archive:
                return _from_archive(path, archive, request, classes)
    except DataError:
        raise
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects, which are never unpickled; save arrays of numbers."
            ) from error
        raise unreadable(path, ".npz", error) from error


def _from_archive(path: Path, archive: Any, request: Request, classes: tuple[str, ...]) -> Source:
    keys = list(archive.files)
    labels = _with_test(archive, _LABEL_KEYS, keys)[0] if request.labels is None else request.labels
    request = replace(request, labels=labels, name=request.name or path.stem)
    if {"format", "shape", "data"} <= set(keys):
        import scipy.sparse

        request.allow("sparse matrices", [])
        return from_sparse(scipy.sparse.load_npz(path), request, str(path))
    array, test_from = _with_test(archive, _DATA_KEYS, keys)
    if array is None and len(keys) == 1:
        array = archive[keys[0]]
    if array is None:
        raise DataError(
            f"{path} holds the arrays {', '.join(keys) or '(none)'}, and none is called "
            f"{', '.join(_DATA_KEYS)}; rename the one with the data."
        )
    if "class_names" in keys:
        classes = tuple(str(c) for c in archive["class_names"])
    return from_array(array, request, str(path), classes=classes, test_from=test_from)


def _with_test(
    archive: Any, known: dict[str, str], keys: list[str]
) -> tuple[np.ndarray | None, int | None]:
    """The first known array with its test part behind it, and where that begins."""
    for key, test in known.items():
        if key in keys:
            array = archive[key]
            if test not in keys:
                return array, None
            return np.concatenate([array, archive[test]]), len(array)
    return None, None
