"""Images: their layout, resizing, and folders of picture files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.data.checks import check_rows
from isthmus.data.crops import as_size, window_of
from isthmus.data.decoding import GREY_MODES, decode, survey
from isthmus.data.formats import FILES
from isthmus.data.labels import encode_labels
from isthmus.data.pictures import Files, Pictures
from isthmus.data.request import Request
from isthmus.data.resident import Resident, stored
from isthmus.data.source import Source
from isthmus.data.spec import DataSpec
from isthmus.data.streamed import PIECE_BYTES, Reader, Rows, Streamed
from isthmus.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg")
CHANNELS = (1, 3, 4)
TAKEN = ("image_size", "grey")


def first_channel(x: np.ndarray) -> np.ndarray:
    """Images as (N, C, H, W), from (N, H, W), (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4.

    Raises:
        DataError: No axis can be the channels.
    """
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[3] in CHANNELS:
        return np.moveaxis(x, 3, 1)
    if x.ndim == 4 and x.shape[1] in CHANNELS:
        return x
    raise DataError(
        f"Images of shape {x.shape} are not understood; expected (N, H, W), (N, H, W, C) or (N, "
        "C, H, W) with 1, 3 or 4 channels."
    )


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (N, C, H, W) at another height and width, antialiased; bytes stay bytes."""
    if x.shape[-2:] == size:
        return x
    values = F.interpolate(x.float(), size=size, mode="bilinear", antialias=True)
    return values.round_().clamp_(0, 255).to(torch.uint8) if x.dtype == torch.uint8 else values


@final
class ImageReader(Reader):
    """Picture files as blocks, each decoded when it is read.

    Args:
        files: In the order of the data.
        channels: 1 for grey, 3 for RGB.
        size: (H, W) of every image; files of another size are resized to it.
        labels: (N,) int64, or None.
        where: What the folder is called.
    """

    def __init__(
        self,
        files: list[Path],
        channels: int,
        size: tuple[int, int],
        labels: Tensor | None,
        where: str,
    ) -> None:
        self.where = where
        self._files = files
        self._mode = "L" if channels == 1 else "RGB"
        self._size = size
        self._labels = labels
        self.piece = max(1, PIECE_BYTES // (4 * channels * size[0] * size[1]))
        n = len(files)
        self.rows = tuple(min(self.piece, n - first) for first in range(0, n, self.piece))

    def read(self, block: int, start: int) -> Iterator[Rows]:
        """The one piece of a block."""
        first = block * self.piece
        files = self._files[first : first + self.rows[block]]
        x = torch.stack([_resized(self._size, decode(file, self._mode)) for file in files])
        yield Rows(x, None if self._labels is None else self._labels[first : first + len(files)])


def _resized(size: tuple[int, int], x: Tensor) -> Tensor:
    return resize(x[None], size)[0]


def _common_size(
    files: list[Path], sizes: list[tuple[int, int]], request: Request
) -> tuple[int, int] | None:
    """The (H, W) of all images; None where they differ and are to be cropped.

    Raises:
        DataError: They differ and are not to be cropped.
    """
    asked = as_size(request.image_size, "image_size")
    if asked is not None:
        return asked
    if request.crop is not None and len(set(sizes)) > 1:
        return None
    for path, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"The images have different sizes: {files[0]} is {sizes[0][1]} x {sizes[0][0]} "
                f"and {path} is "
                f"{size[1]} x {size[0]} (width x height); set image_size to resize them all, or "
                "crop to train on crops of them."
            )
    return sizes[0]


def _class_folders(folder: Path, files: list[Path]) -> list[str] | None:
    """The first folder below `folder` that each file lies in, or None where some lie in none or
    all in one.
    """
    names = [file.relative_to(folder).parts for file in files]
    if all(len(parts) > 1 for parts in names) and len({parts[0] for parts in names}) > 1:
        return [parts[0] for parts in names]
    return None


@FILES.register(".png", takes=TAKEN)
@FILES.register(".jpg", takes=TAKEN)
@FILES.register(".jpeg", takes=TAKEN)
def load_pictures(folder: Path, request: Request) -> Source:
    """A picture, or all below a folder, whose subfolders are the labels.

    Args:
        folder: With png, jpg or jpeg files, in subfolders or not; or one such file.
        request: `image_size`, `crop`, `flip`, `grey`, `labels` and `max_bytes` count; images of one
            size that fit in memory are not cropped here.

    Raises:
        DataError: There are none, one is not what its name says, one is smaller than the crop, or
            their sizes differ and there is none.
    """
    files, others = picture_files(folder)
    check_rows(len(files), str(folder), request.min_rows)
    headers = survey(files)
    sizes = [size for _, size in headers]
    size = _common_size(files, sizes, request)
    shown = np.array(sizes if size is None else [size] * len(files))
    n_grey = sum(mode in GREY_MODES for mode, _ in headers)
    grey = n_grey == len(files) if request.grey is None else request.grey
    names = request.labels if request.labels is not None else _class_folders(folder, files)
    labels, classes = (None, ()) if names is None else encode_labels(names, len(files), str(folder))
    notes = _notes(
        resized=sum(was != tuple(now) for was, now in zip(sizes, shown.tolist(), strict=True)),
        size=size or sizes[0],
        coloured=0 if grey else n_grey,
        faded=len(files) - n_grey if grey else 0,
        deep=sum(mode.startswith("I") for mode, _ in headers),
        transparent=sum(mode in ("RGBA", "LA", "PA") for mode, _ in headers),
        others=others,
    )
    spec = DataSpec(
        kind="image",
        shape=(1 if grey else 3, *(size or sizes[0])),
        support=request.support or "unit",
        length=len(files),
        name=request.name or folder.resolve().name,
        classes=classes,
        unit=255.0,
    )
    large = spec.shape[0] * int(shown.prod(1).sum()) > request.max_bytes
    window = window_of(request, spec.shape)
    if window is not None and (size is None or large):
        prepare = None if size is None else partial(_resized, size)
        return Pictures(Files(files, shown, labels), window, spec, notes, prepare)
    reader = ImageReader(files, spec.shape[0], size or sizes[0], labels, str(folder))
    if large:
        return Streamed(reader, spec, notes=notes)
    x = torch.cat([rows.x for block in range(len(reader.rows)) for rows in reader.read(block, 0)])
    return Resident(stored(x, 255.0), spec, labels=labels, notes=notes)


def picture_files(folder: Path) -> tuple[list[Path], int]:
    """The pictures below a folder, and how many other files there are; a picture is itself."""
    if folder.is_file():
        return [folder], 0
    visible = sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    files = [p for p in visible if p.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(
            f"{folder} holds no {', '.join(SUFFIXES)} files, so it is no folder of images."
        )
    return files, len(visible) - len(files)


def _notes(
    *,
    resized: int,
    size: tuple[int, int],
    coloured: int,
    faded: int,
    deep: int,
    transparent: int,
    others: int,
) -> tuple[str, ...]:
    wide = f"{size[1]} x {size[0]} (width x height)"
    said = (
        (resized, f"one image resized to {wide}", f"{resized} images resized to {wide}"),
        (
            coloured,
            "one grey image was read as RGB",
            f"{coloured} grey images were read as RGB",
        ),
        (
            faded,
            "one image in colours was read as grey",
            f"{faded} images in colours were read as grey",
        ),
        (
            deep,
            "of one image with 16 bits a pixel the upper 8 were read",
            f"of {deep} images with 16 bits a pixel the upper 8 were read",
        ),
        (
            transparent,
            "the transparency of one image was left out",
            f"the transparency of {transparent} images was left out",
        ),
        (
            others,
            "one file that is no png or jpg was left alone",
            f"{others} files that are no png or jpg were left alone",
        ),
    )
    return tuple(one if n == 1 else several for n, one, several in said if n)
