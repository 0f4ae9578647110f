"""Files that are written whole or not at all, and tensors that are written row by row."""

from __future__ import annotations

import glob
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

import numpy as np

# The numbers that a safetensors file is written with here, by the names that the format has.
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


# Seconds after which nobody writes any more to what a killed process left.
FORSAKEN = 3600


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what stands there at the end takes the place of `path`.

    A process that fails leaves the old file as it was, and so does one that is killed, but for a
    hidden file beside it, which goes when this is next written.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        # Another process may have finished with it by now.
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > FORSAKEN:
                left.unlink()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a killed process leaves the old one or the new one."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically, indented for people."""
    write_bytes(path, (json.dumps(values, indent=2) + "\n").encode())


@final
class TensorFile:
    """A safetensors file whose tensors are written in any order, some rows at a time.

    Every tensor's place is fixed at the start, so that no more than the rows in hand are in memory.

    Args:
        path: The file, which is whole once every row is written.
        shapes: Of each tensor, the rows first.
        metadata: Words for the header.
        dtype: "F32" or "I64", of all of them.
    """

    def __init__(
        self,
        path: Path,
        shapes: Mapping[str, tuple[int, ...]],
        metadata: Mapping[str, str],
        dtype: str = "F32",
    ) -> None:
        self._dtype = _DTYPES[dtype]
        self._starts: dict[str, int] = {}
        self._row_bytes: dict[str, int] = {}
        header: dict[str, Any] = {"__metadata__": dict(metadata)}
        end = 0
        for name, (rows, *shape) in shapes.items():
            self._row_bytes[name] = self._dtype.itemsize * math.prod(shape)
            self._starts[name], end = end, end + rows * self._row_bytes[name]
            offsets = [self._starts[name], end]
            header[name] = {"dtype": dtype, "shape": [rows, *shape], "data_offsets": offsets}
        text = json.dumps(header).encode()
        # The format aligns the numbers to eight bytes.
        text += b" " * (-len(text) % 8)
        self._file = path.open("wb")
        self._file.write(len(text).to_bytes(8, "little") + text)
        self._base = self._file.tell()
        self._file.truncate(self._base + end)

    def put(self, name: str, first: int, rows: np.ndarray) -> None:
        """Write rows (n, ...) of a tensor to their place, the first of them at `first`."""
        self._file.seek(self._base + self._starts[name] + first * self._row_bytes[name])
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
