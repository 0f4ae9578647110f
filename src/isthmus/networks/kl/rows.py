"""Where feature maps are kept while they are computed strip by strip, and what memory they take."""

from __future__ import annotations

import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO, final

import torch
from torch import Tensor

from isthmus.errors import OptionError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def bytes_of(memory: int | str) -> int:
    """A number of bytes from itself or from words such as "512MB" and "2 GiB".

    Raises:
        OptionError: It says no positive number of bytes.

    >>> bytes_of("512MB"), bytes_of("1.5 GiB")
    (512000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmg]i?)?b?\s*", str(memory).lower())
    taken = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
    if taken < 1:
        raise OptionError(
            f"memory={memory!r} says no number of bytes: give one, or words such as '512MB' or "
            "'2GiB'."
        )
    return taken


class Rows(ABC):
    """A feature map as rows along its first axis, each a tensor of one shape.

    Attributes:
        length: The number of rows.
        shape: Of one row.
    """

    length: int
    shape: tuple[int, ...]

    @abstractmethod
    def read(self, start: int, stop: int) -> Tensor:
        """Rows (stop - start, *shape) on the device that computes."""

    @abstractmethod
    def write(self, start: int, rows: Tensor) -> None:
        """Keep rows (n, *shape) from `start` on."""

    @abstractmethod
    def close(self) -> None:
        """Give up the room."""


@final
class HeldRows(Rows):
    """Rows in memory: the device's own, or the host's for a device beside it.

    Args:
        rows: (length, *shape), of which this is a view.
        device: Where they are computed with.
        budget: What they count against until they are closed, if anything.
    """

    def __init__(self, rows: Tensor, device: torch.device, budget: Budget | None = None) -> None:
        self._rows: Tensor | None = rows
        self._device, self._budget = device, budget
        self._size = rows.numel() * rows.element_size()
        self.length, self.shape = len(rows), tuple(rows.shape[1:])

    def read(self, start: int, stop: int) -> Tensor:
        assert self._rows is not None
        return self._rows[start:stop].to(self._device, non_blocking=True)

    def write(self, start: int, rows: Tensor) -> None:
        assert self._rows is not None
        self._rows[start : start + len(rows)].copy_(rows)

    def close(self) -> None:
        if self._rows is not None and self._budget is not None:
            self._budget.used -= self._size
        self._rows = None


@final
class FiledRows(Rows):
    """Rows in a file without a name, which is gone when it is closed.

    It is read and written rather than mapped: pages of a mapped file count as the process's own.

    Args:
        length: The number of rows.
        shape: Of one row.
        dtype: Of the elements.
        folder: Where the file lies; None for the system's temporary folder.
    """

    def __init__(
        self, length: int, shape: Sequence[int], dtype: torch.dtype, folder: Path | None
    ) -> None:
        self.length, self.shape, self._dtype = length, tuple(shape), dtype
        self._row_bytes = prod(self.shape) * dtype.itemsize
        # Closed with the map, or with the last reference to it.
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115

    def read(self, start: int, stop: int) -> Tensor:
        rows = torch.empty((stop - start, *self.shape), dtype=self._dtype)
        left = _bytes(rows)
        self._file.seek(start * self._row_bytes)
        while left:
            left = left[self._file.readinto(left) :]  # type: ignore[attr-defined]
        return rows

    def write(self, start: int, rows: Tensor) -> None:
        left = _bytes(rows.contiguous())
        self._file.seek(start * self._row_bytes)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        self._file.close()


def _bytes(rows: Tensor) -> memoryview:
    """The bytes of a contiguous tensor; numpy has no name for every dtype."""
    return rows.view(-1).view(torch.uint8).numpy().data


@final
class Budget:
    """How many bytes of the device's memory maps and strips may take.

    Attributes:
        used: Bytes of the maps held on the device.
        peak: The most that maps and strips took together, as planned.

    Args:
        limit: Bytes.
        reserve: Of them those that maps leave to the strips.
        folder: Where maps lie that a computation on the CPU cannot hold.
    """

    def __init__(self, limit: int, reserve: int, folder: Path | None = None) -> None:
        self.limit, self.reserve, self.folder = limit, reserve, folder
        self.used = self.peak = 0

    def strips(self, working: int) -> None:
        """Take note of what strips take beside the maps held."""
        self.peak = max(self.peak, self.used + working)

    def rows(
        self, length: int, shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> Rows:
        """Room for a map: on the device while it fits, else in host memory or in a file."""
        size = length * prod(shape) * dtype.itemsize
        if self.used + size + self.reserve <= self.limit:
            self.used += size
            return HeldRows(torch.empty((length, *shape), dtype=dtype, device=device), device, self)
        if device.type == "cpu":
            return FiledRows(length, shape, dtype, self.folder)
        host = torch.empty((length, *shape), dtype=dtype, pin_memory=device.type == "cuda")
        return HeldRows(host, device)
