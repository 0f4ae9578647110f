"""`isthmus impute`: data with their gaps filled in."""

from __future__ import annotations

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--draws",
    type=click.IntRange(1),
    metavar="N",
    help="Fill with draws in place of means: N files, called NAME-1, NAME-2, ...",
)
@click.option(
    "--samples", type=click.IntRange(1), default=1000, help="Importance samples. [default: 1000]"
)
@options.output_options
@options.seed_option
@options.device_option
def impute(
    run: str,
    data: str,
    draws: int | None,
    samples: int,
    output: str,
    overwrite: bool,
    seed: int,
    device: str,
) -> None:
    """Write DATA with their gaps filled in.

    RUN learned from data with gaps, as the recipe miwae-imputation does. DATA are a table (.csv,
    .csv.gz, .tsv, .parquet) or an array (.npy), and so is what is written; a gap is an empty cell
    or NaN. What is there stays as it is, columns that the run does not know included. A gap gets
    the mean of what the model expects there, or with --draws a draw of it: several draws show how
    sure the model is.
    """
    import numpy as np
    import torch

    from isthmus.cli import gaps, running
    from isthmus.cli.given import data_for
    from isthmus.cli.talk import note, with_progress, wrote

    targets = gaps.targets(output, overwrite, draws)
    trained, where = running.open_run(run, device)
    gaps.check(trained, data)
    given = data_for(trained, data)
    for text in given.notes:
        note(text)
    torch.manual_seed(seed)
    mode = "mean" if draws is None else "sample"
    for number, target in enumerate(targets, 1):
        title = f"draw {number} of {len(targets)}" if draws else "filling in"
        absent, values = [], []
        for batch in with_progress(given.chunks(running.SCORED), len(given), title):
            there = batch.to(where)
            whole = trained.model.impute(there.x, samples, mode, condition=there.condition)
            absent.append(batch.x.isnan().numpy())
            values.append(whole.cpu().numpy() / np.float32(given.factor))
        filled = gaps.Filled(np.concatenate(absent), np.concatenate(values))
        gaps.write(data, filled, trained, target)
        said = f"{filled.absent.sum():,} gaps in {len(given):,} data filled in"
        wrote(target.path, f"{said} ({mode} by {samples:,} importance samples)")
