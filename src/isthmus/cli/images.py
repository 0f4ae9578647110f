"""Image autoencoders at the command line: published weights or runs, and images of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

import click
import torch

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.autoencoder_kl.cache import CODES, MOMENTS
from isthmus.cli import values
from isthmus.cli.image_files import images_in, latents_in, latents_to, pictures_to
from isthmus.cli.places import parents_of
from isthmus.cli.sinks import CACHE
from isthmus.cli.talk import note, with_progress, wrote
from isthmus.cli.writers import Target
from isthmus.data.sizes import OneSize, by_size, count
from isthmus.errors import OptionError
from isthmus.posteriors import ENCODE_MODES
from isthmus.pretrained import is_published
from isthmus.store import read_config
from isthmus.training.devices import choose_device

# The mode of `encode` that keeps q(z|x) itself.
KEEP_MOMENTS = "moments"
HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
WHOLE = "float32"


@final
@dataclass(frozen=True)
class Asked:
    """What a command was told for image autoencoders alone.

    Args:
        scaled: Latents are in a diffusion model's units.
        memory: What a pass may take, such as "1GB".
        batch_size: Images in one pass.
        precision: float32, float16 or bfloat16.
        revision: On the hub.
        subfolder: Of the checkpoint.
        variant: Of its weights.
    """

    scaled: bool = False
    memory: str | None = None
    batch_size: int | None = None
    precision: str | None = None
    revision: str | None = None
    subfolder: str | None = None
    variant: str | None = None

    @property
    def passes(self) -> dict[str, Any]:
        """How large a pass may be, where that was said."""
        given = {"memory": self.memory, "batch_size": self.batch_size}
        return {name: value for name, value in given.items() if value is not None}

    def refuse(self, run: str) -> None:
        """Say that the options have no meaning for a run of another kind.

        Raises:
            OptionError: One was given.
        """
        if self.first is not None:
            raise OptionError(
                f"{self.first} is for image autoencoders (autoencoder-kl), and {run} is another "
                "model: leave it out."
            )

    @property
    def first(self) -> str | None:
        """The first of the options that was given, as it is written."""
        given = (f.name for f in fields(self) if getattr(self, f.name) not in (None, False))
        return next(("--" + name.replace("_", "-") for name in given), None)


def opened(run: str, device: str, asked: Asked) -> AutoencoderKL | None:
    """The image autoencoder that RUN names: published weights, or a run of such a model.

    Returns:
        None for a run of any other model.

    Raises:
        OptionError: The options do not suit what RUN is.
        CheckpointError: The weights cannot be read.
    """
    where = choose_device(device)
    if is_published(run):
        found = AutoencoderKL.from_pretrained(
            run, subfolder=asked.subfolder, revision=asked.revision, variant=asked.variant
        )
    elif Path(run).is_dir() and takes_any_size(Path(run)):
        Asked(False, None, None, None, asked.revision, asked.subfolder, asked.variant).refuse(run)
        found = AutoencoderKL.from_run(run)
    else:
        asked.refuse(run)
        return None
    for text in found.notes:
        note(text)
    if asked.scaled and not found.config.is_scaled:
        note(
            f"{run} has the scaling factor 1, so scaled latents are the unscaled: "
            "`isthmus scale` finds another"
        )
    if asked.precision in HALVES:
        found.half(HALVES[asked.precision])
    elif asked.precision not in (None, WHOLE):
        known = ", ".join((WHOLE, *HALVES))
        raise OptionError(f"--precision {asked.precision}: expected one of {known}.")
    return found.to(where)


def takes_any_size(run: Path) -> bool:
    """Whether the model of a run folder is an image autoencoder, which takes images of any size."""
    parts = [read_config(run).get("model", {}).get(part, {}) for part in ("encoder", "posterior")]
    return [p.get("part") for p in parts] == ["encoder/kl", "posterior/spatial-gaussian"]


def _read(model: AutoencoderKL, data: str, image_size: str | None) -> list[OneSize]:
    size = None if image_size is None else values.size("--image-size", image_size)
    return by_size(data, model.config.in_channels, size)


def encode(
    model: AutoencoderKL,
    data: str,
    mode: str,
    target: Target,
    image_size: str | None,
    seed: int,
    asked: Asked,
) -> None:
    """Write the latents of images: a cache in safetensors, or an array."""
    kept = MOMENTS if mode == KEEP_MOMENTS else CODES
    if mode != KEEP_MOMENTS:
        _ = ENCODE_MODES[mode]
    if mode == KEEP_MOMENTS and (asked.scaled or target.kind != CACHE):
        raise OptionError(
            "--mode moments keeps mean and log-variance as the model says them: write them to "
            ".safetensors, and leave --scaled out."
        )
    groups = _read(model, data, image_size)
    chance = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    pieces = with_progress(images_in(groups, asked.batch_size, device), count(groups), "encoding")
    with latents_to(target, model, groups, kept, {"mode": mode, "scaled": asked.scaled}) as sink:
        for piece in pieces:
            if mode == KEEP_MOMENTS:
                found = list(model.moments(piece.values, **asked.passes))
            else:
                given: dict[str, Any] = {"scaled": asked.scaled, "generator": chance}
                found = [model.encode(piece.values, mode, **given, **asked.passes)]
            for name, part in zip(kept, found, strict=True):
                sink.put(name, piece.size, piece.first, part)
    units = "in a diffusion model's units" if asked.scaled else "unscaled"
    what = "mean and log-variance" if mode == KEEP_MOMENTS else f"latents (mode {mode}, {units})"
    wrote(target.path, f"{what} of {count(groups):,} images of {_sizes(groups)}")


def decode(model: AutoencoderKL, codes: str, target: Target, asked: Asked) -> None:
    """Write the images of latents, from a cache or an array."""
    found = latents_in(codes, model, asked.batch_size, asked.scaled)
    device = next(model.parameters()).device
    with pictures_to(target, model, found.sizes, found.total, "decoded images") as put:
        for piece in with_progress(found.pieces, found.total, "decoding"):
            z = piece.values.to(device)
            put(piece, model.decode(z, size=piece.size, scaled=found.scaled, **asked.passes))
    wrote(target.path, f"{found.total:,} decoded images")


def reconstruct(
    model: AutoencoderKL,
    data: str,
    mode: str,
    target: Target,
    image_size: str | None,
    seed: int,
    asked: Asked,
) -> None:
    """Write images encoded and decoded, each of its own size and under its own name."""
    groups = _read(model, data, image_size)
    chance = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    squared = elements = 0.0
    sizes = [group.size for group in groups]
    pieces = with_progress(
        images_in(groups, asked.batch_size, device), count(groups), "reconstructing"
    )
    with pictures_to(target, model, sizes, count(groups), "reconstructions") as put:
        for piece in pieces:
            again = model.reconstruct(piece.values, mode, generator=chance, **asked.passes).clamp(
                -1.0, 1.0
            )
            # In [0, 1], where the peak is 1.
            squared += float((again - piece.values).double().square().sum()) / 4.0
            elements += again.numel()
            put(piece, again)
    wrote(target.path, f"{count(groups):,} reconstructions of {_sizes(groups)}")
    error = max(squared / elements, 1e-12)
    click.echo(f"PSNR of all pixels together {-10.0 * math.log10(error):.2f} dB")


def rescale(
    model: AutoencoderKL,
    data: str,
    folder: Path,
    image_size: str | None,
    asked: Asked,
    **how: bool,
) -> None:
    """Write the model with the scaling under which the latents of images have unit variance.

    Args:
        model: Its config is changed.
        data: Images, of any sizes.
        folder: In diffusers' format.
        image_size: What they are resized to, or None.
        asked: How large a pass may be.
        **how: As `AutoencoderKL.estimate_scaling` takes it.
    """
    groups = _read(model, data, image_size)
    device = next(model.parameters()).device
    pieces = images_in(groups, asked.batch_size, device)
    seen = with_progress(pieces, count(groups), "measuring")
    config = model.estimate_scaling((piece.values for piece in seen), **how)
    with parents_of(folder):
        model.save_pretrained(folder)
    wrote(folder, f"the model with the scaling of {count(groups):,} images of {_sizes(groups)}")
    if config.latents_mean is not None and config.latents_std is not None:
        for title, numbers in (("mean", config.latents_mean), ("std", config.latents_std)):
            click.echo(f"latents_{title}: {', '.join(f'{number:.4g}' for number in numbers)}")
    else:
        click.echo(
            f"scaling_factor: {config.scaling_factor:.5g}, shift_factor: {config.shift_factor:.4g}"
        )


def _sizes(groups: list[OneSize]) -> str:
    if len(groups) > 1:
        return f"{len(groups)} sizes"
    height, width = groups[0].size
    return f"{width} x {height} pixels (width x height)"
