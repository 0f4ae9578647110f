"""`isthmus sample`: new data from a model."""

from __future__ import annotations

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@click.option("-n", "--number", type=click.IntRange(1), default=64, help="How many. [default: 64]")
@click.option(
    "--mode",
    default="mean",
    metavar="mean|sample|argmax",
    help="What to take of p(x|z). [default: mean]",
)
@options.condition_option
@options.output_options
@options.seed_option
@options.device_option
def sample(
    run: str,
    number: int,
    mode: str,
    condition: str | None,
    output: str,
    overwrite: bool,
    seed: int,
    device: str,
) -> None:
    """Write new data drawn from a model.

    z is drawn from p(z), and x is the mean of p(x|z), or a sample with --mode sample. It goes to
    .npy; a table's to .csv or .parquet with the run's own columns; images to .png, as one grid, or
    to a folder. A conditional model draws for the one condition given, such as --condition 3.
    """
    import torch

    from isthmus.cli import running
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    trained, where = running.open_run(run, device)
    given = running.one_condition(trained, condition, where)
    torch.manual_seed(seed)
    with target.open(running.data_layout(trained.spec, number, "samples")) as sink:
        for part in with_progress(running.parts_of(number), number, "sampling"):
            running.write_rows(sink, trained.model.sample(len(part), mode, condition=given))
    wrote(target.path, f"{number:,} samples (seed {seed})")
