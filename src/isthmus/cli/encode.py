"""`isthmus encode`: data to codes."""

from __future__ import annotations

from typing import Any

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--mode",
    default="mean",
    metavar="mean|sample|argmax|softmax|moments",
    help="What to take of q(z|x). [default: mean]",
)
@options.written_options
@options.scaled_option
@options.image_model_options
def encode(
    run: str,
    data: str,
    mode: str,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
    **image_model: Any,
) -> None:
    """Write the codes of DATA.

    RUN is a folder that `isthmus fit` wrote. The codes go to .npy, .csv or .parquet, there with the
    columns z0, z1, ... and the label where DATA have one.

    RUN may also be published weights of an image autoencoder: a folder of diffusers' format, a
    .safetensors file or OWNER/NAME on the hub. For those, and runs of autoencoder-kl, DATA are
    images of any sizes; their latents go to .npy or .safetensors, there with the images' names.
    Mode moments keeps mean and log-variance, to draw from in every epoch of a diffusion training.
    """
    from isthmus.cli import images, running
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    asked = images.Asked(**image_model)
    if (autoencoder := images.opened(run, device, asked)) is not None:
        images.encode(autoencoder, data, mode, target, image_size, seed, asked)
        return
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    layout = running.code_layout(trained, len(given), bool(given.classes), mode)
    with target.open(layout) as sink:
        for batch in with_progress(given.chunks(running.CHUNK), len(given), "encoding"):
            there = batch.to(where)
            codes = trained.model.encode(there.x, mode, condition=there.condition)
            running.write_rows(sink, codes, running.label_names(batch, given.classes))
    wrote(target.path, f"{len(given):,} codes of {len(layout.names)} numbers (mode {mode})")
