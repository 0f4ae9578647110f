"""`isthmus compare`: which model do these data need?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from isthmus.cli import options

INTERRUPTED = 130


@click.command()
@options.data_argument
@click.option(
    "--models", metavar="A,B,...", help="Such as pca,ae,vae. [default: what fits the data]"
)
@click.option(
    "--latent-dim", type=click.IntRange(1), metavar="Z", help="Numbers in a code. [default: 16]"
)
@click.option("--latent-dims", metavar="2,8,16", help="Code sizes to compare.")
@click.option(
    "--seeds", type=click.IntRange(1), default=1, help="Repeats, for intervals. [default: 1]"
)
@click.option("--minutes", type=float, metavar="M", help="A budget for everything together.")
@click.option("--samples", type=click.IntRange(1), help="Importance samples. [default: 500]")
@click.option(
    "--measures",
    metavar="A,B,...",
    help="Figures besides the main table's; see `isthmus evaluate --list`. [default: of codes]",
)
@click.option("--epochs", type=int, metavar="N", help="Passes over the data, for each model.")
@options.train_seed_option
@options.step_options
@options.machine_options
@options.data_options
@options.settings_options
@click.option(
    "-o", "--output", metavar="FOLDER", help="Where it goes. [default: runs/compare-DATA]"
)
@click.option("--overwrite", is_flag=True, help="Replace the comparison that is there.")
def compare(
    data: str,
    models: str | None,
    latent_dim: int | None,
    latent_dims: str | None,
    seeds: int,
    minutes: float | None,
    samples: int | None,
    measures: str | None,
    config: str | None,
    sets: Sequence[str],
    output: str | None,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Find out which model DATA need, and why.

    Trains a set of models under one protocol and one budget, measures each on held-out data, and
    says which one to use for which purpose. The folder gets metrics.json, and report.html to open
    in a browser.
    """
    from isthmus.cli import values
    from isthmus.cli.places import clean_start
    from isthmus.cli.settings import gather, load_data
    from isthmus.cli.talk import note
    from isthmus.evaluation import compare as measure
    from isthmus.evaluation.results import METRICS
    from isthmus.report import write_report
    from isthmus.training import ProgressBar

    settings = gather(data, {**flags, "minutes": minutes}, sets, config, one_model=False)
    source = load_data(data, settings.data)
    folder = _folder(output, source.spec.name, overwrite)
    for text in source.notes:
        note(text)
    try:
        with clean_start(folder, Path(METRICS)):
            comparison = measure(
                source,
                models=values.words("--models", models) if models else None,
                latent_dim=latent_dim,
                latent_dims=values.wholes("--latent-dims", latent_dims) if latent_dims else None,
                seeds=seeds,
                measures=values.words("--measures", measures) if measures else None,
                folder=folder,
                say=_say,
                watch=lambda title: [ProgressBar(title)],
                command=shlex.join(["isthmus", *sys.argv[1:]]),
                **({} if samples is None else {"samples": samples}),
                **settings.training,
            )
            write_report(comparison, folder / "report.html")
    except KeyboardInterrupt:
        click.echo("stopped; the comparison is not complete and has no report", err=True)
        sys.exit(INTERRUPTED)
    _show(comparison, folder)


def _folder(output: str | None, name: str, overwrite: bool) -> Path:
    from isthmus.cli.places import free_folder
    from isthmus.errors import OptionError

    if output is None:
        return free_folder(f"compare-{name}")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OptionError(
            f"{folder} is a file, and a comparison needs a folder: choose another -o."
        )
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise OptionError(
            f"{folder} is not empty: choose another -o, or add --overwrite to replace what is "
            "there."
        )
    return folder


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show(comparison: Any, folder: Path) -> None:
    from rich.console import Console

    from isthmus.cli.table import print_comparison
    from isthmus.cli.talk import wrote

    print_comparison(comparison, Console())
    wrote(folder, "metrics.json and report.html")
    click.echo(f"Open {(folder / 'report.html').absolute().as_uri()}")
