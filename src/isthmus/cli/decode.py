"""`isthmus decode`: codes to data."""

from __future__ import annotations

from typing import Any

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@click.argument("codes")
@options.made_options
@options.scaled_option
@options.image_model_options
def decode(
    run: str,
    codes: str,
    mode: str,
    condition: str | None,
    output: str,
    overwrite: bool,
    seed: int,
    device: str,
    **image_model: Any,
) -> None:
    """Write the data that CODES stand for.

    CODES is a .npy file, or a table with the columns z0, z1, ... as `isthmus encode` writes them,
    the integers of a discrete code included.
    The data go to .npy; a table's to .csv or .parquet with the run's own columns; images to .png,
    as one grid, or to a folder. A conditional model decodes under the one condition given.

    Of an image autoencoder, as `isthmus encode --help` says, CODES are its latents in .safetensors
    or .npy, and images come back at their own size and, in a folder, under their own names.
    """
    import torch

    from isthmus.cli import images, running
    from isthmus.cli.given import as_codes, read_codes
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    asked = images.Asked(**image_model)
    if (autoencoder := images.opened(run, device, asked)) is not None:
        images.decode(autoencoder, codes, target, asked)
        return
    trained, where = running.open_run(run, device)
    given = read_codes(trained, codes)
    told = running.one_condition(trained, condition, where)
    torch.manual_seed(seed)
    with target.open(running.data_layout(trained.spec, len(given), "decoded data")) as sink:
        for batch in with_progress(given.chunks(running.CHUNK), len(given), "decoding"):
            z = as_codes(trained.model, batch.x)
            running.write_rows(sink, trained.model.decode(z.to(where), mode, condition=told))
    wrote(target.path, f"{len(given):,} decoded data of shape {trained.spec.shape} (mode {mode})")
