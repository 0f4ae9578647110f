"""`isthmus edit`: data moved in the code, towards a label or up a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from isthmus.cli.given import Given
    from isthmus.cli.writers import Target
    from isthmus.data import Batch, DataSpec
    from isthmus.fitting import Run
    from isthmus.latent import Aggregate, Attribute, Edited
    from isthmus.model import LatentModel

# In a picture; a table takes all.
PICTURED = 10
STAGES = 6


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--towards",
    required=True,
    metavar="label=VALUE|COLUMN|FILE.npy",
    help="A class, a number among the columns or factors, or numbers or marks of your own.",
)
@click.option(
    "--by",
    type=float,
    default=1.0,
    help="1 is from the others' mean to the class's, or a standard deviation up. [default: 1]",
)
@click.option(
    "--method",
    default="means",
    metavar="means|normal",
    help="The direction: difference of means, or across a linear probe's boundary. "
    "[default: means]",
)
@click.option(
    "--draws", type=click.IntRange(1), default=16, help="Of q(z|x), all moved. [default: 16]"
)
@click.option(
    "-n",
    "--number",
    type=click.IntRange(1),
    help="How many data, from the first. [default: all; 10 in a picture]",
)
@click.option("--spread", metavar="FILE", help="Also write the standard deviation over the draws.")
@options.written_options
def edit(
    run: str,
    data: str,
    towards: str,
    by: float,
    method: str,
    draws: int,
    number: int | None,
    spread: str | None,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write DATA moved towards a label or a larger column.

    The direction is learned from DATA's codes, and how well a straight direction stands for the
    property is said with it. What is written is the mean over draws of q(z|x), each moved. A
    picture (.png) has a strip for each datum: itself, its code decoded, the move in five parts, and
    in grey where the draws disagree at its end.
    """
    import numpy as np

    from isthmus.cli import running, strips, targets
    from isthmus.cli.talk import wrote
    from isthmus.cli.writers import Target
    from isthmus.errors import OptionError
    from isthmus.latent import Aggregate, attribute

    target = Target.at(output, overwrite)
    if spread is not None and strips.shows_pictures(target):
        raise OptionError("A picture shows the spread already: leave --spread out, or -o to .npy.")
    aside = None if spread is None else Target.at(spread, overwrite)
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    model = trained.model
    rows = strips.some_rows(given, seed)
    known = strips.gather(given, rows).to(where)
    codes = strips.encode(model, known)
    wanted = targets.read(towards, trained, given, known, rows)
    found = attribute(
        model,
        codes[wanted.kept.to(where)],
        wanted.values,
        wanted.towards,
        method=method,
        name=towards,
        seed=seed,
    )
    click.echo(
        f"{towards}: a linear probe reads it from the code with {found.measure} "
        f"{found.score.value:.3f} ± {found.score.error:.3f} (5 folds of {len(wanted.values):,})"
    )
    aggregate = Aggregate.of(model, codes)
    pictured = strips.shows_pictures(target)
    total = min(len(given), number or (PICTURED if pictured else len(given)))
    move = Move(model, found, by, draws, aggregate)
    if pictured:
        few = strips.gather(given, np.arange(total)).to(where)
        usual = _write_strips(move, few, target, trained.spec)
    else:
        usual = _write_rows(move, given, total, target, aside, trained, where)
    wrote(target.path, f"{total:,} data moved by {by:g} ({draws} draws each, seed {seed})")
    if aside is not None:
        wrote(aside.path, "the standard deviation over the draws")
    click.echo(
        f"{strips.percent(1.0 - usual)} of the data's own codes lie further out than the moved "
        "ones (median)"
    )


class Move(NamedTuple):
    """A move to be made by data."""

    model: LatentModel
    towards: Attribute
    by: float
    draws: int
    aggregate: Aggregate

    def of(self, batch: Batch, share: float = 1.0) -> Edited:
        """Data after that share of the move."""
        from isthmus.latent import edit as edited

        return edited(
            self.model,
            batch.x,
            self.towards,
            self.by * share,
            draws=self.draws,
            aggregate=self.aggregate,
            condition=batch.condition,
        )


def _write_strips(move: Move, batch: Batch, target: Target, spec: DataSpec) -> float:
    """Strips as the command says; back comes the median quantile of the moved codes."""
    import torch

    from isthmus.cli import running, strips

    stages = [move.of(batch, i / (STAGES - 1)) for i in range(STAGES)]
    last = stages[-1]
    brightest = last.spread.flatten(1).amax(1).reshape(-1, *[1] * (batch.x.dim() - 1))
    unsure = 1.0 - last.spread / brightest.clamp(min=1e-12)
    rows = torch.stack([batch.x, *(stage.mean for stage in stages), unsure], 1)
    across = rows.shape[1]
    apart = (1, across - 1)
    sheet = strips.Strips(target, spec, len(rows), across, "edited data", ("row", "by"), apart)
    with target.open(sheet.layout) as sink:
        running.write_rows(sink, rows.flatten(0, 1))
    return float(last.quantile.median())


def _write_rows(
    move: Move, given: Given, total: int, target: Target, aside: Target | None, run: Run, where: Any
) -> float:
    """The first data after the move, and their spread; back comes the median quantile."""
    from contextlib import ExitStack

    import torch

    from isthmus.cli import running, strips
    from isthmus.cli.talk import with_progress

    usual, labelled = [], bool(given.classes)
    with ExitStack() as stack:
        layout = running.data_layout(run.spec, total, "edited data", labelled)
        sinks = [stack.enter_context(t.open(layout)) for t in (target, aside) if t is not None]
        for batch in with_progress(strips.first(given, total), total, "editing"):
            found = move.of(batch.to(where))
            names = running.label_names(batch, given.classes)
            for sink, rows in zip(sinks, (found.mean, found.spread), strict=False):
                running.write_rows(sink, rows, names)
            usual.append(found.quantile.cpu())
    return float(torch.cat(usual).median())
