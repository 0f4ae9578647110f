"""Images of whatever sizes, those of one size together: for models that take any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from isthmus.data.crops import Window, as_size
from isthmus.data.decoding import survey
from isthmus.data.images import SUFFIXES, picture_files
from isthmus.data.load import load
from isthmus.data.pictures import Files, Pictures
from isthmus.data.source import Source
from isthmus.data.spec import DataSpec
from isthmus.errors import DataError


@final
@dataclass(frozen=True)
class OneSize:
    """Images of one height and width.

    Args:
        names: Of the images, relative to their folder; their row where they come from elsewhere.
        source: Of the images, in [0, 1].
    """

    names: tuple[str, ...]
    source: Source

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        _, height, width = self.source.spec.shape
        return height, width


def by_size(
    data: str | Path, channels: int, image_size: int | tuple[int, int] | None = None
) -> list[OneSize]:
    """Images grouped by their size, the sizes in the order in which they first appear.

    Those of a folder are decoded when they are read, as they are or, where `image_size` is given,
    resized; everything else that `load` reads is one group.

    Args:
        data: A folder of pictures, a picture, an array file or the name of a data set.
        channels: 1 reads pictures as grey, 3 as RGB.
        image_size: One number or (height, width), to which every image is resized.

    Raises:
        DataError: There are no images, or they have other channels or values beyond [0, 1].
    """
    folder = Path(data)
    pictures = folder.is_dir() or folder.suffix.lower() in SUFFIXES
    if pictures and folder.exists() and image_size is None:
        return _of_folder(folder, channels)
    source = load(
        data,
        kind="image",
        min_rows=1,
        image_size=as_size(image_size, "image_size"),
        grey=channels == 1 if pictures else None,
    )
    spec = source.spec
    if spec.shape[0] != channels:
        raise DataError(
            f"{data} holds images of {spec.shape[0]} channels, and the model takes {channels}."
        )
    if spec.support not in ("unit", "binary"):
        raise DataError(
            f"{data} holds values beyond [0, 1]: give images as bytes, or as floats in [0, 1]."
        )
    digits = len(str(spec.length - 1))
    names = [f"{row:0{digits}d}" for row in range(spec.length)]
    if pictures:
        names = _named(picture_files(folder)[0], folder)
    return [OneSize(tuple(names), source)]


def count(groups: Iterable[OneSize]) -> int:
    """How many images there are."""
    return sum(len(group.names) for group in groups)


def _of_folder(folder: Path, channels: int) -> list[OneSize]:
    files, _ = picture_files(folder)
    names = _named(files, folder)
    members: dict[tuple[int, int], list[int]] = {}
    for i, (_, size) in enumerate(survey(files)):
        members.setdefault(size, []).append(i)
    groups = []
    for (height, width), own in members.items():
        sizes = np.tile((height, width), (len(own), 1))
        spec = DataSpec(
            kind="image",
            shape=(channels, height, width),
            support="unit",
            length=len(own),
            name=folder.resolve().name,
            unit=255.0,
        )
        source = Pictures(Files([files[i] for i in own], sizes, None), Window(height, width), spec)
        groups.append(OneSize(tuple(names[i] for i in own), source))
    return groups


def _named(files: Sequence[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() if file != folder else file.name for file in files]
