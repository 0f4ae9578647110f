"""Images one by one, each at its own size: how near its reconstruction comes, and what it costs."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.data.sizes import OneSize
from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.columns import Column
from isthmus.evaluation.features import FEATURES, Features
from isthmus.evaluation.likeness import Distance, lpips_at_hand
from isthmus.evaluation.measures import column
from isthmus.evaluation.units import Floats, as_floats
from isthmus.fitting import Run
from isthmus.metrics import bits, frechet_distance, mean_and_error, ms_ssim, psnr, ssim
from isthmus.metrics.estimates import Estimate
from isthmus.ssim import SCALE_WEIGHTS, fitting_scales
from isthmus.writing import write_bytes, write_json

FIGURES = ("psnr", "ssim", "ms_ssim", "lpips", "bits", "pixel_rate")
# Of an image, where the measures of a run speak of data.
BITS = Column("bits", "code", "bits", 0, 0, "Bits that the code carries about the image.")


class Rebuilt(NamedTuple):
    """A picture (1, C, H, W) in [0, 1], from a code of so many bits (None: they are not known)."""

    picture: Tensor
    bits: float | None


# A picture (1, C, H, W) in [0, 1] -> what becomes of it.
Rebuild = Callable[[Tensor], Rebuilt]


@final
@dataclass(frozen=True)
class ImageFigures:
    """What was measured of one image.

    Args:
        name: Of the file, from the folder on.
        height: In pixels.
        width: In pixels.
        values: By column key; a figure that the image cannot have is missing.
    """

    name: str
    height: int
    width: int
    values: dict[str, float]


@final
@dataclass
class ImageTable:
    """The figures of images, one by one.

    Args:
        images: In the order of the files.
        words: What is to be said of them, and what is missing.
        protocol: How it was measured, in words by name.
        overall: By column key, figures of all images together.
    """

    images: list[ImageFigures]
    words: list[str] = field(default_factory=list)
    protocol: dict[str, str] = field(default_factory=dict)
    overall: dict[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those that at least one image has a figure for."""
        known = (BITS if key == BITS.key else column(key) for key in FIGURES)
        return tuple(c for c in known if any(c.key in image.values for image in self.images))

    def mean(self, key: str) -> Estimate:
        """The mean over images, each counting as one, and its standard error."""
        return mean_and_error([i.values[key] for i in self.images if key in i.values])

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite is null."""
        means = {c.key: self.mean(c.key) for c in self.columns}
        return {
            "images": [
                {"name": i.name, "height": i.height, "width": i.width}
                | {key: _plain(value) for key, value in i.values.items()}
                for i in self.images
            ],
            "mean": {key: _plain(found.value) for key, found in means.items()},
            "error": {key: _plain(found.error) for key, found in means.items()},
            "overall": {key: _plain(value) for key, value in self.overall.items()},
            "words": self.words,
            "protocol": self.protocol,
        }

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table, the mean as its last row, as .csv or .json.

        Raises:
            OptionError: Another ending.
        """
        path = Path(path)
        check_ending(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_json(path, self.to_json())
            return path
        text = io.StringIO()
        keys = [c.key for c in self.columns]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", "height", "width", *keys])
        for i in self.images:
            writer.writerow([i.name, i.height, i.width, *(_written(i.values, k) for k in keys)])
        writer.writerow(["mean", "", "", *(f"{self.mean(k).value:.6g}" for k in keys)])
        write_bytes(path, text.getvalue().encode())
        return path


def check_ending(path: str | os.PathLike[str]) -> None:
    """Refuse a file that a table is not written to, before anything is measured.

    Raises:
        OptionError: It ends neither in .csv nor in .json.
    """
    if Path(path).suffix not in (".csv", ".json"):
        raise OptionError(f"{path}: a table of images is written as .csv or .json.")


def image_figures(
    rebuild: Rebuild,
    pictures: Iterable[tuple[str, Tensor]],
    *,
    features: Features | str | None = None,
) -> ImageTable:
    """Measure pictures one by one.

    A reconstruction is cut off at black and white first, as a file of it would be; PSNR and SSIM
    are by the range from 0 to 1, and means count each image as one, whatever its size.

    Args:
        rebuild: What a picture becomes; from `by_autoencoder` or `by_run`.
        pictures: Names, and pictures (1, C, H, W) in [0, 1] of any size.
        features: Pictures (1, C, H, W) -> (1, F), or "inception": where reconstructions as a whole
            are held against the images.

    Raises:
        DataError: There are no pictures.
    """
    distance, words = _lpips()
    space: Features | None = FEATURES.create(features) if isinstance(features, str) else features
    images, seen = [], []
    for name, x in pictures:
        found = rebuild(x)
        clean, rebuilt = as_floats(x), as_floats(found.picture.clamp(0.0, 1.0))
        images.append(_figures_of(name, clean, rebuilt, found.bits, distance))
        if space is not None:
            seen.append((space(clean)[0], space(rebuilt)[0]))
    if not images:
        raise DataError("There are no images to measure.")
    table = ImageTable(images, [*words, *_on_scales(images), *_on_equal(images)])
    if len(seen) > 1:
        first, second = (np.stack(rows) for rows in zip(*seen, strict=True))
        table.overall["rfid"] = frechet_distance(first, second)
        table.words.append(
            f"The reconstruction FID is of {len(first):,} images in {first.shape[1]:,} features: "
            "it falls as images are added, so compare it at equal numbers only."
        )
    return table


def _lpips() -> tuple[Distance | None, list[str]]:
    """The distance, where its weights are at hand, and what is to be said of it."""
    try:
        network, distance = lpips_at_hand()
    except UnsupportedError as reason:
        return None, [f"Without lpips: {reason}."]
    return distance, [f"LPIPS is that of {network}."]


def _figures_of(
    name: str, clean: Floats, rebuilt: Floats, code: float | None, distance: Distance | None
) -> ImageFigures:
    height, width = clean.shape[2:]
    measured = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}
    values = {key: float(by(clean, rebuilt, 1.0)[0]) for key, by in measured.items()}
    if distance is not None:
        # A picture may be too small for the network: the others have a figure.
        with suppress(UnsupportedError):
            values["lpips"] = float(distance(clean, rebuilt)[0])
    if code is not None:
        values |= {"bits": code, "pixel_rate": code / (height * width)}
    return ImageFigures(name, height, width, values)


def _on_scales(images: list[ImageFigures]) -> list[str]:
    """A sentence where MS-SSIM is not of all of its scales."""
    whole = len(SCALE_WEIGHTS)
    few = sum(fitting_scales(i.height, i.width)[0] < whole for i in images)
    if not few:
        return []
    return [
        f"{few} of {len(images)} images are too small for all {whole} scales of MS-SSIM, and have "
        "it of fewer."
    ]


def _on_equal(images: list[ImageFigures]) -> list[str]:
    """A sentence where an image came back exactly."""
    exact = sum(math.isinf(i.values["psnr"]) for i in images)
    if not exact:
        return []
    return [f"{exact} of {len(images)} images come back exactly: the mean PSNR is infinite."]


def by_autoencoder(autoencoder: AutoencoderKL, memory: int | str | None = None) -> Rebuild:
    """Pictures of any size at the mean of q(z|x); the bits are KL(q(z|x) ‖ N(0, I)).

    Args:
        autoencoder: Published, or a run's.
        memory: Bytes for a pass, as `AutoencoderKL.encode` takes them.
    """

    def rebuild(x: Tensor) -> Rebuilt:
        height, width = x.shape[2:]
        mean, log_variance = autoencoder.moments(2.0 * x - 1.0, memory=memory)
        decoded = autoencoder.decode(mean, size=(height, width), memory=memory)
        wide, log_wide = mean.double(), log_variance.double()
        nats = 0.5 * (wide.square() + log_wide.exp() - 1.0 - log_wide).sum()
        return Rebuilt(0.5 * decoded.float() + 0.5, bits(float(nats)))

    return rebuild


def by_run(run: Run) -> Rebuild:
    """Pictures of the run's own size; the bits are the rate of one.

    Raises:
        UnsupportedError: The run is of other data, or its model is conditional.
    """
    candidate = learned(run, samples=1)
    if run.spec.kind != "image" or run.spec.support != "unit" or candidate.conditional:
        raise UnsupportedError(
            f"{run.recipe} on {run.spec.name} cannot be asked for images one by one: that takes "
            "images with values in [0, 1] and no condition."
        )
    expected = tuple(run.spec.shape)

    def rebuild(x: Tensor) -> Rebuilt:
        if tuple(x.shape[1:]) != expected:
            raise DataError(
                f"This run takes images of {_size(expected)} and got one of {_size(x.shape[1:])}: "
                "only the recipe autoencoder-kl takes any size; or resize with --image-size."
            )
        rows = as_floats(x)
        rate = candidate.code_bits
        if candidate.density is not None:
            rate = bits(float(candidate.density.rate(rows)[0]))
        picture = torch.from_numpy(candidate.decode(candidate.encode(rows)))
        return Rebuilt(picture, rate)

    return rebuild


def _size(shape: Iterable[int]) -> str:
    return " × ".join(str(n) for n in shape)


def pictures_in(groups: Iterable[OneSize]) -> Iterator[tuple[str, Tensor]]:
    """Names, and pictures (1, C, H, W) in [0, 1], from `by_size`."""
    for group in groups:
        names = iter(group.names)
        for batch in group.source.chunks(1):
            yield next(names), batch.x


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _written(values: dict[str, float], key: str) -> str:
    return f"{values[key]:.6g}" if key in values else ""
