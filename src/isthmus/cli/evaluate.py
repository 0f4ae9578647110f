"""`isthmus evaluate`: measure a trained run."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from isthmus.evaluation import Evaluation

MEASURES_HELP = "Which, such as likelihood,mig; all takes those of minutes too."


@click.command()
@click.argument("run", required=False)
@click.argument("data", required=False)
@click.option("--measures", metavar="A,B,...", help=MEASURES_HELP)
@click.option(
    "--samples", type=click.IntRange(1), default=500, help="Importance samples. [default: 500]"
)
@click.option("--features", help="Space in which samples and data are compared: inception.")
@click.option(
    "--dequantise",
    is_flag=True,
    help="Spread whole levels of greys over their cells: the likelihood is of the levels.",
)
@click.option("--per-image", is_flag=True, help="Measure images one by one, each at its own size.")
@click.option("-o", "--output", metavar="FILE", help="The table of images: .csv or .json.")
@click.option("--list", "listing", is_flag=True, help="Say what can be measured and what it costs.")
@options.label_option
@options.image_size_option
@options.seed_option
@options.device_option
@options.single_image_options
def evaluate(
    run: str | None,
    data: str | None,
    measures: str | None,
    samples: int,
    features: str | None,
    dequantise: bool,
    per_image: bool,
    output: str | None,
    listing: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
    **image_model: Any,
) -> None:
    """Measure a run: every figure by its name.

    DATA are those that it was trained on, or others like them. They are split as the run's were:
    figures are of the test part, and classifiers learn from the training part. A conditional run
    reads the same columns for its condition as at training. The figures go to the terminal and into
    metrics.json of the run.

    Images are measured one by one with --per-image, where RUN is a published image autoencoder (a
    folder in diffusers' format or a name on the hub), and where DATA is a folder of images of
    several sizes and RUN takes any. That table goes to the terminal and with -o into a file.
    """
    from rich.console import Console

    from isthmus.cli import running, values
    from isthmus.cli.per_image import measure_images, one_by_one
    from isthmus.cli.talk import wrote
    from isthmus.errors import OptionError
    from isthmus.evaluation import evaluate as measure

    console = Console()
    if listing:
        print_measures(console)
        return
    if run is None or data is None:
        raise OptionError(
            "evaluate takes a run and data, such as `isthmus evaluate runs/vae digits`; "
            "--list says what can be measured."
        )
    task = one_by_one(run, data, device, image_size, asked=per_image, model_options=image_model)
    if task is not None:
        if measures is not None:
            raise OptionError(
                "--measures is for the measures of a whole data set, and images are measured one "
                "by one here: leave it out."
            )
        measure_images(run, task, data, console, output, features)
        return
    if output is not None:
        raise OptionError(
            "-o is for the table of --per-image: the figures of a run go into its metrics.json."
        )
    trained, _, given = running.begin(run, data, label, image_size, device, seed)
    found = measure(
        trained,
        given.as_source(),
        measures=values.words("--measures", measures) if measures else None,
        samples=samples,
        seed=seed,
        features=features,
        dequantise=dequantise,
        say=lambda name: click.echo(f"measuring {name}", err=True),
    )
    print_evaluation(found, console)
    wrote(found.write(run), "the figures")


def print_measures(console: Console) -> None:
    """Every measure with its figures and its cost."""
    from rich import box
    from rich.table import Table

    from isthmus.evaluation.measures import in_order

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("measure", "figures", "takes", "what it says"):
        table.add_column(heading, no_wrap=heading == "measure")
    for entry in in_order():
        if not entry.about["columns"]:
            continue  # It only makes what a report draws.
        figures = ", ".join(column.key for column in entry.about["columns"])
        table.add_row(entry.name, figures, entry.about["cost"], entry.summary)
    console.print(table)


def print_evaluation(found: Evaluation, console: Console) -> None:
    """One table for each family of figures, the sentences, and what is missing and why."""
    from isthmus.evaluation.measures import in_order

    by_table: dict[str, list[tuple[str, str, str]]] = {}
    for entry in in_order():
        rows = by_table.setdefault(entry.about["table"], [])
        for column in entry.about["columns"]:
            if column.key in found.values:
                value, error = found.values[column.key]
                text = f"{value:,.{column.digits}f}"
                if math.isfinite(error):
                    text += f" ± {error:,.{column.digits}f}"
                rows.append((column.title, f"{text} {column.unit}".strip(), column.help))
    for heading, rows in by_table.items():
        if rows:
            _print_rows(heading, rows, console)
    for sentence in found.words:
        console.print(textwrap.fill(sentence, console.width), highlight=False, markup=False)
    reasons: dict[str, list[str]] = {}
    for key, why in found.why_missing.items():
        reasons.setdefault(why, []).append(key)
    for why, keys in reasons.items():
        text = f"Without {', '.join(keys)}: {why.rstrip('.')}."
        console.print(textwrap.fill(text, console.width), style="dim", highlight=False)


def _print_rows(heading: str, rows: list[tuple[str, str, str]], console: Console) -> None:
    from rich import box
    from rich.table import Table

    table = Table(
        title=heading,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
        show_header=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    console.print(table)
