"""Images: their layout, resizing, and folders of picture files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.data.checks import check_rows
from isthmus.data.labels import encode_labels
from isthmus.data.request import Request
from isthmus.data.resident import Resident, stored
from isthmus.data.source import Source
from isthmus.data.spec import DataSpec
from isthmus.data.streamed import PIECE_BYTES, Reader, Rows, Streamed
from isthmus.errors import DataError, OptionError

SUFFIXES = (".png", ".jpg", ".jpeg")
CHANNELS = (1, 3, 4)
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")


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


def as_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """The option `image_size` as (height, width).

    Raises:
        OptionError: It is neither one number nor two, or below 1.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or min(pair) < 1:
        raise OptionError(
            f"image_size={size!r}: expected one number or (height, width), at least 1."
        )
    return int(pair[0]), int(pair[1])


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
        x = torch.cat([resize(decode(file, self._mode), self._size) for file in files])
        yield Rows(x, None if self._labels is None else self._labels[first : first + len(files)])


def decode(path: Path, mode: str) -> Tensor:
    """One picture as (1, C, H, W) bytes in Pillow's mode "L" or "RGB".

    Raises:
        DataError: The file is no picture, or is cut.
    """
    with _opened(path) as image:
        if image.mode.startswith("I"):
            # Pillow would clip 16 bits to 8 rather than scale them.
            deep = np.clip(np.asarray(image, np.int64) // 256, 0, 255).astype(np.uint8)
            pixels = deep if mode == "L" else np.stack([deep] * 3, axis=-1)
        else:
            pixels = np.array(image.convert(mode))
    return torch.from_numpy(first_channel(pixels[None]).copy())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A picture; whatever goes wrong while it is open is a `DataError` that names the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            yield image
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path} is not a picture, whatever its name says; replace it or take it out."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be decoded ({error}); replace it or take it out."
        ) from error


def _survey(files: list[Path]) -> list[tuple[str, tuple[int, int]]]:
    """Mode and (H, W) of every file, from its header."""
    found = []
    for path in files:
        with _opened(path) as image:
            found.append((image.mode, (image.height, image.width)))
    return found


def _common_size(
    files: list[Path], sizes: list[tuple[int, int]], asked: tuple[int, int] | None
) -> tuple[int, int]:
    if asked is not None:
        return asked
    for path, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"The images have different sizes: {files[0]} is {sizes[0][1]} x {sizes[0][0]} "
                f"and {path} is "
                f"{size[1]} x {size[0]} (width x height); set image_size to resize them all."
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


def load_folder(folder: Path, request: Request) -> Source:
    """The pictures below a folder; the names of its subfolders are the labels.

    Args:
        folder: With png, jpg or jpeg files, in subfolders or not.
        request: `image_size`, `grey`, `labels` and `max_bytes` count.

    Raises:
        DataError: There are none, one is not what its name says, or their sizes differ.
    """
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
    check_rows(len(files), str(folder), request.min_rows)
    survey = _survey(files)
    sizes = [size for _, size in survey]
    size = _common_size(files, sizes, as_size(request.image_size))
    n_grey = sum(mode in _GREY_MODES for mode, _ in survey)
    grey = n_grey == len(files) if request.grey is None else request.grey
    channels = 1 if grey else 3
    names = request.labels if request.labels is not None else _class_folders(folder, files)
    labels, classes = (None, ()) if names is None else encode_labels(names, len(files), str(folder))
    notes = _notes(
        resized=sum(s != size for s in sizes),
        size=size,
        colours=0 if request.grey is not None or grey else n_grey,
        transparent=sum(mode in ("RGBA", "LA", "PA") for mode, _ in survey),
        others=len(visible) - len(files),
    )
    spec = DataSpec(
        kind="image",
        shape=(channels, *size),
        support=request.support or "unit",
        length=len(files),
        name=request.name or folder.resolve().name,
        classes=classes,
        unit=255.0,
    )
    reader = ImageReader(files, channels, size, labels, str(folder))
    if spec.size * len(files) > request.max_bytes:
        return Streamed(reader, spec, notes=notes)
    x = torch.cat([rows.x for block in range(len(reader.rows)) for rows in reader.read(block, 0)])
    return Resident(stored(x, 255.0), spec, labels=labels, notes=notes)


def _notes(
    *, resized: int, size: tuple[int, int], colours: int, transparent: int, others: int
) -> tuple[str, ...]:
    said = {
        f"{resized} images resized to {size[1]} x {size[0]} (width x height)": resized,
        f"{colours} grey images among RGB ones were read as RGB": colours,
        f"the transparency of {transparent} images was left out": transparent,
        f"{others} files that are no png or jpg were left alone": others,
    }
    return tuple(line for line, n in said.items() if n)
