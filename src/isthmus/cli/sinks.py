"""What a writer of results is: rows appended to a file that is being written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from isthmus.registry import Registry

WRITERS = Registry("output file type")
FOLDER = "folder"
# Latents of an image autoencoder, of images of any sizes.
CACHE = ".safetensors"


@final
@dataclass(frozen=True)
class Layout:
    """What is going to be written.

    Args:
        what: What the rows are called in messages.
        rows: N.
        shape: Of one row, as `.npy` keeps it.
        names: Of a row's elements, as tables keep it.
        images: Rows are images (C, H, W) in [0, 1].
        labels: A label comes with each row.
        integers: The elements are whole: int64 in place of float32.
    """

    what: str
    rows: int
    shape: tuple[int, ...]
    names: tuple[str, ...]
    images: bool = False
    labels: bool = False
    across: int | None = None
    apart: tuple[int, ...] = ()
    integers: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of an element in the file."""
        return np.dtype(np.int64 if self.integers else np.float32)


class Sink(ABC):
    """A file that is being written, part by part."""

    @abstractmethod
    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        """Append rows (n, *shape)."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""
