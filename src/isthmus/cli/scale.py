"""`isthmus scale`: the scaling under which an image autoencoder's latents have unit variance."""

from __future__ import annotations

from typing import Any

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--whole",
    is_flag=True,
    help="One factor and one shift for all channels, as Stable Diffusion 3 and Flux read them.",
)
@click.option(
    "--means",
    is_flag=True,
    help="For a diffusion model that is trained on means of q(z|x), not on samples of it.",
)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Where the model is written.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@options.image_size_option
@options.device_option
@options.weights_options
@options.batch_size_option
def scale(
    run: str,
    data: str,
    whole: bool,
    means: bool,
    output: str,
    overwrite: bool,
    image_size: str | None,
    device: str,
    **image_model: Any,
) -> None:
    """Write an image autoencoder with the scaling of its latents.

    RUN is published weights of an image autoencoder (a folder of diffusers' format, a .safetensors
    file or OWNER/NAME on the hub) or a run of autoencoder-kl. DATA are images of any sizes.
    Diffusion models want latents of mean 0 and variance 1; the scaling that gives DATA's latents
    these goes into the config: latents_mean and latents_std of each channel, or with --whole one
    scaling_factor and shift_factor. The folder is in diffusers' format, its weights unchanged.
    """
    from pathlib import Path

    from isthmus.cli import images
    from isthmus.errors import OptionError

    folder = Path(output)
    if folder.exists() and not overwrite:
        raise OptionError(
            f"{folder} exists already: choose another -o, or add --overwrite to replace it."
        )
    asked = images.Asked(**image_model)
    autoencoder = images.opened(run, device, asked)
    if autoencoder is None:
        raise OptionError(
            f"{run} is no image autoencoder, whose latents are scaled for a diffusion model: give "
            "published weights or a run of autoencoder-kl."
        )
    images.rescale(
        autoencoder, data, folder, image_size, asked, per_channel=not whole, samples=not means
    )
