"""Crops and flips of images: drawn anew in every epoch for training, the centre for all else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from isthmus.data.request import Request
from isthmus.data.resident import Resident
from isthmus.data.source import Batch, Source
from isthmus.data.splits import splitmix64, stream_seed
from isthmus.errors import DataError, OptionError

# Apart from the streams that give an epoch its order.
_STREAM = 0x63726F70


class Places(NamedTuple):
    """Where images are cut: rows and columns of the upper left corners, and which are mirrored.

    Each (B,): int64, int64, bool.
    """

    tops: np.ndarray
    lefts: np.ndarray
    flips: np.ndarray


@final
@dataclass(frozen=True)
class Window:
    """What is cut out of every image.

    Args:
        height: Of a crop.
        width: Of a crop.
        flip: Whether training mirrors half of the images, left to right.
    """

    height: int
    width: int
    flip: bool = False

    def drawn(self, sizes: np.ndarray, seed: int, epoch: int, first: int) -> Places:
        """Uniform places for the data at positions first, first + 1, ... of an epoch.

        They depend on (seed, epoch, position) and the image's size alone: whatever the batch size,
        the number of processes or the moment at which a run is resumed, they are the same.

        Args:
            sizes: (B, 2) int, height and width of each image.
            seed: Of the epoch.
            epoch: Its number.
            first: The position of the first of them.
        """
        keys = 3 * np.arange(first, first + len(sizes), dtype=np.uint64)
        base = np.uint64(stream_seed(seed, epoch, _STREAM))
        numbers = splitmix64(splitmix64(keys[:, None] + np.arange(3, dtype=np.uint64)) ^ base)
        uniform = (numbers >> np.uint64(11)) * 2.0**-53
        tops, lefts = (uniform[:, :2] * (self._room(sizes) + 1)).astype(np.int64).T
        return Places(tops, lefts, (uniform[:, 2] < 0.5) & self.flip)

    def centred(self, sizes: np.ndarray) -> Places:
        """The middle of each image, (B, 2) high and wide, never mirrored."""
        tops, lefts = (self._room(sizes) // 2).T
        return Places(tops, lefts, np.zeros(len(sizes), bool))

    def _room(self, sizes: np.ndarray) -> np.ndarray:
        return np.asarray(sizes, np.int64) - (self.height, self.width)


@final
class Cropped(Source):
    """Another source of images, of which a window is shown.

    `epoch` draws a place for each image whenever it is read, `chunks` shows the centre.

    Args:
        source: Of images (C, H, W), all of one size.
        window: No larger than they are.

    Raises:
        DataError: It is larger.
    """

    redrawn = True

    def __init__(self, source: Source, window: Window) -> None:
        channels, *size = source.spec.shape
        if window.height > size[0] or window.width > size[1]:
            raise too_small(f"The images of {source.spec.name}", (size[0], size[1]), window)
        self.source = source
        self.window = window
        self.spec = replace(source.spec, shape=(channels, window.height, window.width))
        self.notes = source.notes
        self.reading = source.reading
        self.split_method = source.split_method
        self._size = tuple(size)

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        batches = self.source.epoch(batch_size, seed=seed, epoch=epoch, start=start, stride=stride)
        for number, batch in enumerate(batches):
            first = (start + number * stride) * len(batch)
            yield self._cut(batch, self.window.drawn(self._sizes(batch), seed, epoch, first))

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        for batch in self.source.chunks(size):
            yield self._cut(batch, self.window.centred(self._sizes(batch)))

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of the other source's split."""
        return Cropped(self.source.subset(part, seed, fractions), self.window)

    def _sizes(self, batch: Batch) -> np.ndarray:
        return np.broadcast_to(np.array(self._size), (len(batch), 2))

    def _cut(self, batch: Batch, places: Places) -> Batch:
        return replace(batch, x=cut(batch.x, places, self.window))


def cut(x: Tensor, places: Places, window: Window) -> Tensor:
    """The window of each image (B, C, H, W) at its own place, (B, C, height, width)."""
    tops, lefts = (torch.from_numpy(p).to(x.device) for p in (places.tops, places.lefts))
    # A view of all windows: only the chosen ones are copied, a row at a time.
    windows = x.unfold(2, window.height, 1).unfold(3, window.width, 1)
    found = windows[torch.arange(len(x), device=x.device), :, tops, lefts]
    if not places.flips.any():
        return found
    flips = torch.from_numpy(places.flips).to(x.device)
    return torch.where(flips[:, None, None, None], found.flip(3), found)


def cropped(source: Source, request: Request) -> Source:
    """A source with the crops and flips that were asked for.

    Raises:
        DataError: The images are smaller than the crop.
        OptionError: The data are no images.
    """
    window = window_of(request, source.spec.shape)
    if window is None:
        return source
    if source.spec.kind != "image" or len(source.spec.shape) != 3:
        option = "flip" if request.crop is None else "crop"
        raise OptionError(
            f"{option}= is for images, and {source.spec.name} holds data of kind "
            f"{source.spec.kind!r}: leave it out."
        )
    return Cropped(source, window)


def window_of(request: Request, shape: tuple[int, ...]) -> Window | None:
    """What was asked to be cut out of images of a shape (C, H, W); None where all is shown as is.

    Raises:
        OptionError: The crop is neither one number nor two, or below 1.
    """
    size = as_size(request.crop, "crop")
    if size is None and not request.flip:
        return None
    height, width = size or (shape[1:] if len(shape) == 3 else (1, 1))
    return Window(height, width, request.flip)


def as_size(size: int | tuple[int, int] | None, option: str) -> tuple[int, int] | None:
    """The option `image_size` or `crop` as (height, width).

    Raises:
        OptionError: It is neither one number nor two, or below 1.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or min(pair) < 1:
        raise OptionError(f"{option}={size!r}: expected one number or (height, width), at least 1.")
    return int(pair[0]), int(pair[1])


def too_small(what: str, size: tuple[int, int], window: Window) -> DataError:
    """The error for images (height, width) that a window does not fit into."""
    return DataError(
        f"{what} of {size[1]} x {size[0]} (width x height) cannot be cropped to "
        f"{window.width} x {window.height}: lower crop, or set image_size to resize them first."
    )


def place(source: Source, device: torch.device | str) -> Source:
    """A source that is held in memory on `device`; any other unchanged, for its batches are moved
    one by one.
    """
    if isinstance(source, Cropped):
        return Cropped(place(source.source, device), source.window)
    return source.to(device) if isinstance(source, Resident) else source
