"""`isthmus rate-distortion`: what a bit of code buys."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from isthmus.evaluation import Comparison

INTERRUPTED = 130


@click.command(name="rate-distortion")
@options.data_argument
@click.option(
    "--betas",
    default="0.1,0.3,1,3,10",
    metavar="A,B,...",
    help="Weights of the rate. [default: 0.1,0.3,1,3,10]",
)
@click.option(
    "--recipe",
    default="beta-vae",
    metavar="NAME",
    help="Any with an option beta. [default: beta-vae]",
)
@click.option("--latent-dim", type=int, metavar="Z", help="Numbers in a code. [default: 16]")
@click.option("--network", metavar="NAME", help="auto, mlp, conv, residual, linear, map or kl.")
@click.option("--hidden", metavar="512,256", help="Widths of the hidden layers.")
@click.option("--likelihood", metavar="NAME", help="p(x|z); auto takes what fits the data.")
@click.option("--minutes", type=float, metavar="M", help="A budget for everything together.")
@click.option("--samples", type=click.IntRange(1), default=500, help="Importance samples.")
@click.option("--epochs", type=int, metavar="N", help="Passes over the data, for each beta.")
@options.train_seed_option
@options.step_options
@options.machine_options
@options.data_options
@options.settings_options
@click.option(
    "-o", "--output", metavar="FOLDER", help="Where it goes. [default: runs/rate-distortion-DATA]"
)
def rate_distortion(
    data: str,
    betas: str,
    samples: int,
    config: str | None,
    sets: Sequence[str],
    output: str | None,
    **flags: Any,
) -> None:
    """Draw what a bit of code buys on DATA.

    Trains a model at each beta and measures, on held-out data, the bits of the code (rate) and the
    bits left to say (distortion).

    The folder gets rd.csv, rd.json, metrics.json, report.html, and every run under runs/. Called
    again with the same settings it goes on where it was stopped; finished runs are not trained
    again, and more betas may be added.
    """
    from isthmus.cli import values
    from isthmus.cli.places import RUNS
    from isthmus.cli.settings import gather, load_data
    from isthmus.cli.talk import note
    from isthmus.evaluation import rate_distortion as measure
    from isthmus.report import write_report
    from isthmus.training import ProgressBar

    settings = gather(data, flags, sets, config)
    weights = [values.number("--betas", text) for text in values.words("--betas", betas)]
    source = load_data(data, settings.data)
    folder = Path(output) if output else RUNS / f"rate-distortion-{source.spec.name}"
    for text in source.notes:
        note(text)
    latent_dim = settings.model.pop("latent_dim", None)
    settings.model.pop("beta", None)
    try:
        curve = measure(
            source,
            weights,
            recipe=settings.recipe,
            latent_dim=latent_dim,
            options=settings.model,
            samples=samples,
            folder=folder,
            say=lambda text: click.echo(text, err=True),
            watch=lambda title: [ProgressBar(title)],
            command=shlex.join(["isthmus", *sys.argv[1:]]),
            **settings.training,
        )
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on where this one was", err=True)
        sys.exit(INTERRUPTED)
    write_report(curve, folder / "report.html")
    _show(curve, folder)


def _show(curve: Comparison, folder: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from isthmus.cli.talk import wrote

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", "rate, bits", "distortion, bits", "sum", "active"):
        table.add_column(heading, justify="right" if heading else "left")
    for result in curve.results:
        figures, errors = result.metrics, result.errors
        table.add_row(
            result.label,
            *(f"{figures[k]:.1f} ± {errors[k]:.1f}" for k in ("rate", "distortion")),
            f"{figures['rate'] + figures['distortion']:.1f}",
            f"{figures['active']:.0f}" if "active" in figures else "",
        )
    console = Console()
    console.print(table)
    for finding in curve.findings:
        console.print(finding.text, highlight=False)
    wrote(folder, "rd.csv, rd.json, metrics.json and report.html")
    click.echo(f"Open {(folder / 'report.html').absolute().as_uri()}")
