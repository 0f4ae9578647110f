"""Data sets of images as their authors publish them: their files, where they are looked for, and
how they are read.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.data.archives import load_archive
from isthmus.data.arrays import from_array
from isthmus.data.download import Remote, cache_folder, fetch
from isthmus.data.request import Request
from isthmus.data.resident import Resident
from isthmus.data.source import Source
from isthmus.errors import DataError

CIFAR_TAR = "cifar-10-binary.tar.gz"
_PART = "figures are not comparable with published ones"

Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Published:
    """Where a data set of images is found and how its files are read.

    Args:
        name: As registered.
        classes: Names of the labels.
        archives: Names of `.npz` files that hold it.
        folders: Subfolders in which its files may lie.
        remotes: The files that are published.
        read: (folder) -> train images, train labels, test images, test labels; raises
            FileNotFoundError.
        at_top: Whether a folder that was not given for this data set may hold its files itself.
    """

    name: str
    classes: tuple[str, ...]
    archives: tuple[str, ...]
    folders: tuple[str, ...]
    remotes: tuple[Remote, ...]
    read: Callable[[Path], Parts]
    at_top: bool = True


def read_idx(path: Path, axes: int) -> np.ndarray:
    """An array of bytes in an idx file, compressed or not.

    Args:
        path: Without ".gz".
        axes: How many it has to have.

    Raises:
        FileNotFoundError: Neither it nor its .gz is there.
        DataError: It is no such file, or is cut.
    """
    found = next((p for p in (path, path.with_name(path.name + ".gz")) if p.exists()), None)
    if found is None:
        raise FileNotFoundError(path)
    try:
        data = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{found} cannot be decompressed ({error}); fetch it again.") from error
    header = 4 + 4 * axes
    if data[:4] != bytes([0, 0, 8, axes]) or len(data) < header:
        raise DataError(f"{found} is no idx file of {axes} axes of bytes; fetch it again.")
    shape = np.frombuffer(data, ">u4", axes, 4).tolist()
    if len(data) - header != np.prod(shape):
        raise DataError(
            f"{found} has {len(data) - header} bytes for an array of shape {tuple(shape)}; it is "
            "cut: fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_mnist(folder: Path) -> Parts:
    """The four idx files of MNIST, and of those who took over its form."""
    return (
        read_idx(folder / "train-images-idx3-ubyte", 3),
        read_idx(folder / "train-labels-idx1-ubyte", 1),
        read_idx(folder / "t10k-images-idx3-ubyte", 3),
        read_idx(folder / "t10k-labels-idx1-ubyte", 1),
    )


_CIFAR_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))


def read_cifar10(folder: Path) -> Parts:
    """The six files of CIFAR-10's binary version, unpacked or in their archive."""
    archive = folder / CIFAR_TAR
    names = [*_CIFAR_TRAIN, "test_batch.bin"]
    if not (folder / names[0]).exists() and archive.exists():
        batches = _cifar_members(archive, names)
    else:
        batches = [(folder / name).read_bytes() for name in names]
    parts = [_cifar_batch(data, folder / name) for data, name in zip(batches, names, strict=True)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True))
    return images, labels, *parts[-1]


def _cifar_members(archive: Path, names: list[str]) -> list[bytes]:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            files = [tar.extractfile(f"cifar-10-batches-bin/{name}") for name in names]
            return [file.read() for file in files if file is not None]
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive} is not the published archive ({error}); fetch it again."
        ) from error


def _cifar_batch(data: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    record = 1 + 3 * 32 * 32
    if not data or len(data) % record:
        raise DataError(
            f"{path} has {len(data)} bytes, which is no multiple of {record}; fetch it again."
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]


def _from_parts(data_set: Published, parts: Parts) -> Resident:
    x, y, x_test, y_test = parts
    if len(x) != len(y) or len(x_test) != len(y_test):
        raise DataError(
            f"{data_set.name}: {len(x)} + {len(x_test)} images but {len(y)} + {len(y_test)} "
            "labels; fetch the files again."
        )
    request = Request(labels=np.concatenate([y, y_test]), name=data_set.name)
    images = np.concatenate([x, x_test])
    return from_array(images, request, data_set.name, classes=data_set.classes, test_from=len(x))


def _look(data_set: Published, folder: Path, *, top: bool) -> Source | None:
    """The data set in a folder, or None."""
    for name in data_set.archives:
        if (folder / name).is_file():
            request = Request(name=data_set.name)
            found = load_archive(folder / name, request, data_set.classes)
            if "small" in name:
                found.notes = (*found.notes, f"{name} is a part of {data_set.name}: {_PART}")
            return found
    for place in [*([folder] if top else []), *(folder / sub for sub in data_set.folders)]:
        try:
            return _from_parts(data_set, data_set.read(place))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def published(data_set: Published, folder: str | os.PathLike[str] | None) -> Source:
    """Find a data set, or download it.

    Raises:
        DataError: It is not in the folder given, or there is no network; says which files to put
            where.
    """
    if folder is not None:
        found = _look(data_set, Path(folder), top=True)
        if found is None:
            raise DataError(
                f"There is no {data_set.name} in {os.fspath(folder)!r}; {_wanted(data_set)}."
            )
        return found
    given = os.environ.get("ISTHMUS_DATA")
    cache = cache_folder()
    if given:
        found = _look(data_set, Path(given), top=data_set.at_top)
        if found is not None:
            return found
    own = cache / data_set.name
    try:
        for remote in data_set.remotes:
            fetch(remote, own)
    except DataError as error:
        raise DataError(
            f"{data_set.name}: {error}; {_wanted(data_set)}, and give that folder with folder= or "
            "ISTHMUS_DATA, or put "
            f"them into {own}."
        ) from error
    return _from_parts(data_set, data_set.read(own))


def _wanted(data_set: Published) -> str:
    files = ", ".join(remote.name for remote in data_set.remotes)
    return f"put {files} (or {data_set.archives[0]}) into a folder"
