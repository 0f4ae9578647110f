"""Images and latents as the commands read and write them: folders, arrays, caches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import torch
from torch import Tensor

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.autoencoder_kl.cache import LatentCache, LatentWriter, Shelf
from isthmus.cli.pictures import NamedPictures
from isthmus.cli.sinks import CACHE, FOLDER, Layout
from isthmus.cli.talk import note
from isthmus.cli.writers import Target
from isthmus.data.sizes import OneSize, count
from isthmus.errors import DataError, OptionError

# Pixels in one pass: four images of 512 x 512.
PIXELS = 2**20
Size = tuple[int, int]


@final
@dataclass(frozen=True)
class Piece:
    """Images or latents that go through the networks together.

    Args:
        size: Height and width of the images in pixels.
        first: Which of that size the first of them is.
        names: Of the images.
        values: (n, C, H, W) images in [-1, 1], or latents (n, Z, h, w).
    """

    size: Size
    first: int
    names: tuple[str, ...]
    values: Tensor

    def __len__(self) -> int:
        return len(self.names)


def images_in(
    groups: Sequence[OneSize], batch_size: int | None, device: torch.device
) -> Iterator[Piece]:
    """The images of the groups, as many at once as a pass takes."""
    for group in groups:
        first = 0
        for batch in group.source.chunks(batch_size or _at_once(group.size)):
            names = group.names[first : first + len(batch)]
            yield Piece(group.size, first, names, 2.0 * batch.x.to(device) - 1.0)
            first += len(batch)


def _at_once(size: Size) -> int:
    return max(1, PIXELS // (size[0] * size[1]))


class _LatentSink(Protocol):
    def put(self, name: str, size: Size, first: int, values: Tensor) -> None: ...


@final
class _Rows:
    """Latents of one size as the rows of an array."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def put(self, name: str, size: Size, first: int, values: Tensor) -> None:
        """Append them; they come in their order."""
        self._sink.write(values.float().cpu().numpy())


@contextmanager
def latents_to(
    target: Target,
    model: AutoencoderKL,
    groups: Sequence[OneSize],
    kept: Sequence[str],
    about: Mapping[str, Any],
) -> Iterator[_LatentSink]:
    """A place for the latents of the groups.

    Args:
        target: A cache, or the array of images of one size.
        model: Whose latents they are.
        groups: The images.
        kept: What is kept of each image, of a cache.
        about: What a cache says of itself.

    Raises:
        OptionError: An array, and images of several sizes.
    """
    config = model.config
    shelves = []
    for group in groups:
        height, width = (-(-side // config.factor) for side in group.size)
        shelves.append(Shelf(group.size, group.names, (config.latent_channels, height, width)))
    if target.kind != CACHE:
        _one_size(target, [group.size for group in groups])
        with target.open(Layout("latents", count(groups), shelves[0].shape, ())) as rows:
            yield _Rows(rows)
        return
    with target.replacing() as path:
        writer = LatentWriter(path, shelves, kept, {**about, "scaling": model.config.scaling})
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def pictures_to(
    target: Target, model: AutoencoderKL, sizes: Sequence[Size], total: int, what: str
) -> Iterator[Callable[[Piece, Tensor], None]]:
    """A function of a piece and its images in [-1, 1] that writes them.

    Raises:
        OptionError: The images have several sizes, and the target takes one.
    """
    if target.kind == FOLDER:
        with target.replacing() as folder:
            named = NamedPictures(folder)
            yield lambda piece, x: named.write(piece.names, _unit(x))
        return
    if target.kind == CACHE:
        raise OptionError(f"{target.path}: images go to a folder, .png or .npy; choose another -o.")
    _one_size(target, sizes)
    shape = (model.config.out_channels, *sizes[0])
    with target.open(Layout(what, total, shape, (), images=True)) as sink:
        yield lambda _, x: sink.write(_unit(x))


def _unit(x: Tensor) -> np.ndarray:
    return (0.5 * x.float() + 0.5).clamp(0.0, 1.0).cpu().numpy()


def _one_size(target: Target, sizes: Sequence[Size]) -> None:
    if len(set(sizes)) > 1:
        raise OptionError(
            f"{target.path} takes images of one size, and these have {len(set(sizes))}: write "
            "images to a folder and latents to .safetensors, or resize with --image-size."
        )


@final
@dataclass(frozen=True)
class Latents:
    """Latents of a file.

    Args:
        pieces: In their stored order.
        sizes: Of their images.
        total: How many there are.
        scaled: Whether they are in a diffusion model's units.
    """

    pieces: Iterator[Piece]
    sizes: Sequence[Size]
    total: int
    scaled: bool


def latents_in(codes: str, model: AutoencoderKL, batch_size: int | None, scaled: bool) -> Latents:
    """The latents of a cache, which says itself whether it is scaled, or of an array.

    Raises:
        DataError: They are no latents of this model.
    """
    if codes.lower().endswith(CACHE):
        return _of_cache(codes, model, batch_size, scaled)
    if not codes.lower().endswith(".npy"):
        raise DataError(f"{codes}: latents are read from .safetensors or .npy.")
    try:
        rows = np.load(codes, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {codes}.") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{codes} is no readable .npy file ({error}).") from error
    channels, factor = model.config.latent_channels, model.config.factor
    if rows.ndim != 4 or rows.shape[1] != channels or not len(rows):
        raise DataError(f"{codes} has shape {rows.shape}; expected (N, {channels}, h, w).")
    size = (factor * rows.shape[2], factor * rows.shape[3])
    step, digits = batch_size or _at_once(size), len(str(len(rows) - 1))

    def pieces() -> Iterator[Piece]:
        for first in range(0, len(rows), step):
            part = torch.from_numpy(rows[first : first + step].astype(np.float32))
            names = tuple(f"{first + i:0{digits}d}" for i in range(len(part)))
            yield Piece(size, first, names, part)

    return Latents(pieces(), [size], len(rows), scaled)


def _of_cache(codes: str, model: AutoencoderKL, batch_size: int | None, scaled: bool) -> Latents:
    cache = LatentCache(codes)
    channels = cache.shelves[0].shape[0]
    if channels != model.config.latent_channels:
        raise DataError(
            f"{codes} holds latents of {channels} channels, and the model takes "
            f"{model.config.latent_channels}: give those that it wrote."
        )
    if cache.scaled and json.loads(cache.about["scaling"]) != model.config.scaling:
        raise DataError(
            f"{codes} was scaled by other numbers than the model's ({cache.about['scaling']}): "
            "encode the images again, or decode with the model that wrote it."
        )
    if scaled and not cache.scaled:
        note(f"{codes} says that its latents are unscaled: --scaled is left out")

    def pieces() -> Iterator[Piece]:
        for shelf in cache.shelves:
            first = 0
            for names, z in cache.batches(shelf.size, batch_size or _at_once(shelf.size)):
                yield Piece(shelf.size, first, names, z)
                first += len(names)

    sizes = [shelf.size for shelf in cache.shelves]
    return Latents(pieces(), sizes, len(cache), cache.scaled)
