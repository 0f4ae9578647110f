"""Images as png: one grid, or a folder with a file for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np

from isthmus.cli.sinks import CACHE, FOLDER, WRITERS, Layout, Sink
from isthmus.errors import OptionError

# A grid of more pixels opens in no viewer.
LARGEST_GRID = 64_000_000
# Smaller tiles are enlarged to about this, for people to see them.
TILE = 32
STRIP_TILE = 48
GAP = 1
WIDE_GAP = 6


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W) in [0, 1] as bytes (n, H, W, C); what overshoots is cut."""
    whole = np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.moveaxis(whole, 1, -1)


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Pixels (H, W, C) with 1, 3 or 4 channels as a png file."""
    from PIL import Image

    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path, format="png")


@final
@WRITERS.register(".png", images=True)
class GridSink(Sink):
    """All images as the tiles of one picture, row by row.

    Raises:
        OptionError: The picture would be too large.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        channels, height, width = layout.shape
        self._path = path
        self._zoom = max(1, (STRIP_TILE if layout.across else TILE) // max(height, width))
        self._across = layout.across or math.ceil(math.sqrt(layout.rows))
        self._step = (height * self._zoom + GAP, width * self._zoom + GAP)
        down = math.ceil(layout.rows / self._across)
        self._lefts = [
            i * self._step[1] + GAP + WIDE_GAP * sum(a <= i for a in layout.apart)
            for i in range(self._across)
        ]
        size = (down * self._step[0] + GAP, self._lefts[-1] + self._step[1])
        if size[0] * size[1] > LARGEST_GRID:
            raise OptionError(
                f"A grid of {layout.rows:,} images would be {size[1]:,} by {size[0]:,} pixels: "
                "write them into a folder (-o NAME/) or to .npy."
            )
        self._pixels = np.full((*size, channels), 255, np.uint8)
        self._written = 0

    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        for image in to_bytes(rows):
            tile = image.repeat(self._zoom, axis=0).repeat(self._zoom, axis=1)
            down, across = divmod(self._written, self._across)
            top, left = down * self._step[0] + GAP, self._lefts[across]
            self._pixels[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            self._written += 1

    def close(self) -> None:
        save_picture(self._pixels, self._path)


@final
@WRITERS.register(FOLDER, images=True)
class FolderSink(Sink):
    """A folder of png files, numbered in the order of the rows."""

    def __init__(self, path: Path, layout: Layout) -> None:
        path.mkdir()
        self._folder = path
        self._digits = max(5, len(str(layout.rows - 1)))
        self._written = 0

    def write(self, rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        for image in to_bytes(rows):
            save_picture(image, self._folder / f"{self._written:0{self._digits}d}.png")
            self._written += 1

    def close(self) -> None:
        """Every file is whole already."""


@final
class NamedPictures:
    """A folder of png files, each under the name of what it was made from.

    Args:
        folder: Made here; names with folders in them make those too.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def write(self, names: Sequence[str], images: np.ndarray) -> None:
        """Write images (n, C, H, W) in [0, 1]."""
        for name, image in zip(names, to_bytes(images), strict=True):
            path = self._folder / Path(name).with_suffix(".png")
            if path.exists():
                # a.jpg and a.png: the second keeps its whole name.
                path = self._folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_picture(image, path)


@WRITERS.register(CACHE, latents=True)
def refuse_cache(path: Path, layout: Layout) -> Sink:
    """Rows of any other model.

    Raises:
        OptionError: Always; what writes latents of images does it without a sink.
    """
    raise OptionError(
        f"{layout.what} go to .npy, .csv or .parquet; .safetensors is for the latents of an image "
        "autoencoder (recipe autoencoder-kl, or published weights)."
    )
