"""Latents of many images in one safetensors file: written image by image, read where needed.

Images of one size share a tensor. With several sizes each has its own, named by the images' height
and width in pixels: `latents/512x768`. A cache for diffusion training keeps the `mean` and the
`log_variance` of q(z|x) in place of `latents`, so that every epoch can draw anew. What the file
says of itself stands in its header: the images' names, the model, the scaling.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from isthmus.autoencoder_kl.drawing import Chance
from isthmus.errors import DataError
from isthmus.writing import TensorFile

FORMAT = "isthmus-latents-1"
CODES, MOMENTS = ("latents",), ("mean", "log_variance")

Size = tuple[int, int]


@final
@dataclass(frozen=True)
class Shelf:
    """What a cache keeps of the images of one size.

    Args:
        size: Height and width of the images in pixels.
        names: Of the images.
        shape: Of one latent, (Z, h, w).
    """

    size: Size
    names: tuple[str, ...]
    shape: tuple[int, int, int]


@final
class LatentWriter:
    """A cache that is being written; every latent has its place in the file from the start.

    Args:
        path: The file, which is whole once all latents are written.
        shelves: What goes into it.
        kept: `CODES` or `MOMENTS`.
        about: What the header says beside it, JSON values.
    """

    def __init__(
        self, path: Path, shelves: Sequence[Shelf], kept: Sequence[str], about: Mapping[str, Any]
    ) -> None:
        self._alone = len(shelves) == 1
        shapes = {
            _key(name, shelf.size, self._alone): (len(shelf.names), *shelf.shape)
            for shelf in shelves
            for name in kept
        }
        names = {_word(shelf.size): list(shelf.names) for shelf in shelves}
        said = {"format": FORMAT, **about, "images": names}
        words = {k: v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}
        self._file = TensorFile(path, shapes, words)

    def put(self, name: str, size: Size, first: int, values: Tensor) -> None:
        """Write latents (n, Z, h, w) to their place.

        Args:
            name: "latents", "mean" or "log_variance".
            size: Height and width of their images.
            first: Which of the images of that size the first of them is.
            values: The latents.
        """
        rows = values.detach().to("cpu", torch.float32).numpy()
        self._file.put(_key(name, size, self._alone), first, rows)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


@final
class LatentCache:
    """Latents that `isthmus encode` wrote: read by image, or drawn by batch.

    Nothing is read before it is asked for.

    Args:
        path: The safetensors file.

    Attributes:
        shelves: The images by size.
        has_moments: It keeps mean and log-variance, so that `sample` draws anew at every call.
        about: What the file says of itself.

    Raises:
        DataError: There is no such file, it is cut, or it is no cache of latents.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with safe_open(self.path, "pt") as file:
                said = dict(file.metadata() or {})
                shapes = {k: tuple(file.get_slice(k).get_shape()) for k in file.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise DataError(f"There is no file {self.path}.") from error
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"{self.path} is cut or no safetensors file ({error}): encode the images again."
            ) from error
        if said.get("format") != FORMAT:
            raise DataError(
                f"{self.path} is no cache of latents (its format is {said.get('format')!r}, "
                f"expected {FORMAT!r}): write one with `isthmus encode MODEL IMAGES -o "
                "latents.safetensors`."
            )
        images: dict[str, list[str]] = json.loads(said.pop("images"))
        self.about = said
        self.has_moments = any(key.startswith(MOMENTS[0]) for key in shapes)
        kept = self._kept
        self.shelves = tuple(
            Shelf(size, tuple(names), _shape_of(shapes[_key(kept, size, len(images) == 1)]))
            for word, names in images.items()
            for size in [_size(word)]
        )

    def __len__(self) -> int:
        return sum(len(shelf.names) for shelf in self.shelves)

    @property
    def scaled(self) -> bool:
        """Whether the latents are in a diffusion model's units."""
        return self.about.get("scaled") == "true"

    def batches(self, size: Size, batch_size: int) -> Iterator[tuple[tuple[str, ...], Tensor]]:
        """Latents of the images of one size in their stored order.

        Args:
            size: Height and width of the images in pixels.
            batch_size: Latents at once.

        Returns:
            The images' names, and latents (n, Z, h, w): what was written, or the means.

        Raises:
            DataError: There are no images of that size.
        """
        names = self._names(size)
        with safe_open(self.path, "pt") as file:
            part = file.get_slice(_key(self._kept, size, len(self.shelves) == 1))
            for first in range(0, len(names), batch_size):
                last = first + batch_size
                yield names[first:last], part[first:last]

    def sample(self, size: Size, rows: Sequence[int], generator: Chance = None) -> Tensor:
        """Draws z ~ q(z|x) of some images of one size, (n, Z, h, w).

        Args:
            size: Height and width of the images in pixels.
            rows: Which of them.
            generator: What is drawn with; a seed stands for a new one.

        Raises:
            DataError: The file keeps no moments, or there are no images of that size.
        """
        if not self.has_moments:
            raise DataError(
                f"{self.path} keeps one latent of each image: encode with --mode moments to draw "
                "anew from it."
            )
        self._names(size)
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        keys = [_key(name, size, len(self.shelves) == 1) for name in MOMENTS]
        with safe_open(self.path, "pt") as file:
            slices = [file.get_slice(key) for key in keys]
            mean, log_variance = (torch.stack([part[i] for i in rows]) for part in slices)
        noise = torch.randn(mean.shape, generator=generator)
        return torch.addcmul(mean, noise, (0.5 * log_variance).exp())

    def _names(self, size: Size) -> tuple[str, ...]:
        for shelf in self.shelves:
            if shelf.size == tuple(size):
                return shelf.names
        known = ", ".join(_word(shelf.size) for shelf in self.shelves)
        raise DataError(f"{self.path} has no images of {_word(size)} pixels; it has {known}.")

    @property
    def _kept(self) -> str:
        return MOMENTS[0] if self.has_moments else CODES[0]


def _key(name: str, size: Size, alone: bool) -> str:
    return name if alone else f"{name}/{_word(size)}"


def _word(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _size(word: str) -> Size:
    height, _, width = word.partition("x")
    return int(height), int(width)


def _shape_of(stacked: tuple[int, ...]) -> tuple[int, int, int]:
    _, channels, height, width = stacked
    return channels, height, width
