"""`isthmus sample`: new data from a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from isthmus.fitting import Run
    from isthmus.model import LatentModel


@click.command()
@options.run_argument
@click.option("-n", "--number", type=click.IntRange(1), default=64, help="How many. [default: 64]")
@click.option(
    "--from",
    "origin",
    type=click.Choice(["prior", "density"]),
    help="Draw z from the model's prior, or from what `isthmus density` fitted. [default: that, "
    "where there is one]",
)
@options.made_options
def sample(
    run: str,
    number: int,
    origin: str | None,
    mode: str,
    condition: str | None,
    output: str,
    overwrite: bool,
    seed: int,
    device: str,
) -> None:
    """Write new data drawn from a model.

    z is drawn from p(z), or from the density that `isthmus density` fitted to the codes, and x is
    the mean of p(x|z), or a sample with --mode sample. It goes to .npy; a table's to .csv or
    .parquet with the run's own columns; images to .png, as one grid, or to a folder. A conditional
    model draws for the one condition given, such as --condition 3.
    """
    import torch

    from isthmus.cli import running
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    trained, where = running.open_run(run, device)
    given = running.one_condition(trained, condition, where)
    model, source = _drawing(trained, origin)
    torch.manual_seed(seed)
    with target.open(running.data_layout(trained.spec, number, "samples")) as sink:
        for part in with_progress(running.parts_of(number), number, "sampling"):
            running.write_rows(sink, model.sample(len(part), mode, condition=given))
    wrote(target.path, f"{number:,} samples{source} (seed {seed})")


def _drawing(run: Run, origin: str | None) -> tuple[LatentModel, str]:
    """The model that draws from where it was asked to, and what is to be said of that."""
    from isthmus.densities import with_sampler
    from isthmus.errors import OptionError

    sampler = run.model.sampler
    if origin == "density" and sampler is None:
        raise OptionError(
            f"{run.folder} has no density beside its prior: `isthmus density {run.folder}` fits "
            "one to its codes."
        )
    if sampler is None:
        return run.model, ""
    if origin == "prior":
        return with_sampler(run.model, None), " from the model's prior"
    name = sampler.registered_as[1] if sampler.registered_as else type(sampler).__name__
    return run.model, f" from the density {name}"
