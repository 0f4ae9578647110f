"""Picture files: what their headers say, and their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import DataError

GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
# (left, upper, right, lower), as Pillow has it.
Box = tuple[int, int, int, int]


def decode(path: Path, mode: str, box: Box | None = None) -> Tensor:
    """One picture, or a box of it, as (C, H, W) bytes in Pillow's mode "L" or "RGB".

    Raises:
        DataError: The file is no picture, or is cut.
    """
    with _opened(path) as opened:
        image = opened if box is None else opened.crop(box)
        if image.mode.startswith("I"):
            # Pillow would clip 16 bits to 8 rather than scale them.
            deep = np.clip(np.asarray(image, np.int64) // 256, 0, 255).astype(np.uint8)
            pixels = deep if mode == "L" else np.stack([deep] * 3, axis=-1)
        else:
            pixels = np.array(image.convert(mode))
    rows = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    return torch.from_numpy(np.ascontiguousarray(rows))


def survey(files: list[Path]) -> list[tuple[str, tuple[int, int]]]:
    """Mode and (H, W) of every file, from its header."""
    found = []
    for path in files:
        with _opened(path) as image:
            found.append((image.mode, (image.height, image.width)))
    return found


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
