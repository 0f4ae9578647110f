"""`isthmus reconstruct`: data through the strip and back."""

from __future__ import annotations

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
@options.output_options
@options.label_option
@options.image_size_option
@options.seed_option
@options.device_option
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
) -> None:
    """Write DATA after the strip and back.

    It is the mean of p(x|z) at the code. It goes to .npy; a table's to .csv or .parquet with the
    run's own columns; images to .png, as one grid, or to a folder. A conditional model encodes
    each datum with its own condition, and decodes it with that or with the one given: what it
    would be under another.
    """
    import torch

    from isthmus.cli import running
    from isthmus.cli.given import data_for
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    trained, where = running.open_run(run, device)
    given = data_for(trained, data, label, image_size)
    other = running.one_condition(trained, condition, where, required=False)
    running.say_notes(given)
    torch.manual_seed(seed)
    squared = 0.0
    layout = running.data_layout(trained.spec, len(given), "reconstructions", bool(given.classes))
    with target.open(layout) as sink:
        for batch in with_progress(given.chunks(running.CHUNK), len(given), "reconstructing"):
            there = batch.to(where)
            z = trained.model.encode(there.x, mode, condition=there.condition)
            told = there.condition if other is None else other
            again = trained.model.decode(z, condition=told).cpu()
            squared += float((again - batch.x).double().square().sum())
            running.write_rows(sink, again, running.label_names(batch, given.classes))
    error = (squared / (len(given) * trained.spec.size)) ** 0.5 * trained.spec.unit
    wrote(target.path, f"{len(given):,} reconstructions")
    click.echo(f"root mean squared error {error:.4g} in the data's own unit")
