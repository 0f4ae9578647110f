"""`isthmus outliers`: which data are odd to a trained run."""

from __future__ import annotations

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--by",
    metavar="NAME",
    help="ensemble, neighbours, reconstruction or latent; where the model has a density, also "
    "likelihood, likelihood-ratio, typicality or kl. [default: ensemble for columns of numbers, "
    "else neighbours]",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    help="Of usual data that may be called outliers. [default: 0.05]",
)
@click.option(
    "--against",
    metavar="DATA",
    help="What the run was trained on. [default: from where they were then]",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=100,
    help="Importance samples of a likelihood. [default: 100]",
)
@options.written_options
def outliers(
    run: str,
    data: str,
    by: str | None,
    share: float,
    against: str | None,
    samples: int,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write how unusual each of DATA is, and which are outliers.

    The score (--by) is higher for the more usual datum. Its tail is the share of the run's held-out
    data that are at least as unusual, the datum itself counted in: those of the validation and test
    parts, which the model was not trained on. A datum whose tail is at most --share is an outlier.
    The columns score, tail and outlier (0 or 1) go to .csv or .parquet, with the label where DATA
    have one, or to .npy.

    Distances are between columns standardised by the training part of the run's own data where
    those are a table, between square roots of counts, and between images as they are.
    """
    import torch

    from isthmus.cli import running
    from isthmus.cli.given import data_for
    from isthmus.cli.oddest import Tally
    from isthmus.cli.sinks import Layout
    from isthmus.cli.talk import note, with_progress, wrote
    from isthmus.cli.writers import Target
    from isthmus.screening import Screen

    target = Target.at(output, overwrite)
    trained, _ = running.open_run(run, device)
    screen = Screen(trained, by, share=share, samples=samples, seed=seed)
    own = running.trained_on(trained, against, "--against DATA")
    given = data_for(trained, data, label, image_size)
    torch.manual_seed(seed)
    known, *held_out = trained.split.of(own.as_source())
    layout = Layout(
        "scores", len(given), (3,), ("score", "tail", "outlier"), labels=bool(given.classes)
    )
    tally = Tally(screen, trained.spec, given.classes)
    # Opened first: a file of the wrong kind is refused before anything is scored.
    with target.open(layout) as sink:
        screen.fit(known, held_out)
        for text in dict.fromkeys((*own.notes, *given.notes, *screen.notes)):
            note(text)
        if data == (against or trained.reading.data):
            note("DATA hold what the model was trained on, which looks more usual than new data")
        for batch in with_progress(given.chunks(running.SCORED), len(given), "scoring"):
            if screen.score.needs_density:
                running.check_support(trained, batch.x, data)
            found = screen.judge(batch)
            rows = torch.from_numpy(found.table())
            running.write_rows(sink, rows, running.label_names(batch, given.classes))
            tally.add(batch, found)
    wrote(target.path, f"{len(given):,} scores by {screen.by}, higher for the more usual")
    for line in tally.lines():
        click.echo(line)
