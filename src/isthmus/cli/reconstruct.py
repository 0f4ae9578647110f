"""`isthmus reconstruct`: data encoded, then decoded."""

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
    metavar="mean|sample|argmax",
    help="The code, of q(z|x). [default: mean]",
)
@options.condition_option
@options.written_options
@options.image_model_options
def reconstruct(
    run: str,
    data: str,
    mode: str,
    condition: str | None,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
    **image_model: Any,
) -> None:
    """Write DATA encoded and decoded again.

    It is the mean of p(x|z) at the code. It goes to .npy; a table's to .csv or .parquet with the
    run's own columns; images to .png, as one grid, or to a folder. A conditional model encodes
    each datum with its own condition, and decodes it with that or with the one given, of which
    NAME=VALUE for some columns leaves the others as they are: what it would be under another.

    RUN may be published weights of an image autoencoder, as `isthmus encode --help` says.
    """
    from isthmus.cli import images, running
    from isthmus.cli.rebuilt import Errors
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target
    from isthmus.data.condition import change_condition

    target = Target.at(output, overwrite)
    asked = images.Asked(**image_model)
    if (autoencoder := images.opened(run, device, asked)) is not None:
        images.reconstruct(autoencoder, data, mode, target, image_size, seed, asked)
        return
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    other = None if condition is None else change_condition(trained.spec.condition, condition)
    errors = Errors(trained.spec)
    layout = running.data_layout(trained.spec, len(given), "reconstructions", bool(given.classes))
    with target.open(layout) as sink:
        for batch in with_progress(given.chunks(running.CHUNK), len(given), "reconstructing"):
            there = batch.to(where)
            z = trained.model.encode(there.x, mode, condition=there.condition)
            told = there.condition
            if other is not None:
                # A model that needs no condition was given none; what is not named stays unknown.
                width = trained.spec.condition_dim
                told = other(there.x.new_zeros(len(z), width) if told is None else told)
            again = trained.model.decode(z, condition=told).cpu()
            errors.add(batch.x, again)
            running.write_rows(sink, again, running.label_names(batch, given.classes))
    wrote(target.path, f"{len(given):,} reconstructions")
    click.echo(errors.said())
