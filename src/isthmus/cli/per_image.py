"""`isthmus evaluate` on images one by one, each at its own size."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from isthmus.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from isthmus.cli.images import Asked
    from isthmus.evaluation.per_image import ImageTable, Rebuild

# Rows of the table on a terminal, at most.
MOST_SHOWN = 40
ALL_OF_THEM = "all of the images are measured, also any that the run was trained on"


@final
@dataclass(frozen=True)
class Task:
    """Images that are to be measured one by one.

    Args:
        rebuild: What becomes of each.
        pictures: Names, and pictures (1, C, H, W) in [0, 1].
        total: How many.
        notes: What to mind.
    """

    rebuild: Rebuild
    pictures: Iterable[tuple[str, Tensor]]
    total: int
    notes: tuple[str, ...] = ()


def one_by_one(
    run: str,
    data: str,
    device: str,
    image_size: str | None,
    *,
    asked: bool,
    model_options: Mapping[str, Any],
) -> Task | None:
    """The images of `data` and what rebuilds them, where they are to be measured one by one.

    They are where the user asked for it, where RUN is a published autoencoder, which has no data
    of its own, and where the images of a folder have several sizes and RUN takes any.

    Raises:
        OptionError: Options of image autoencoders (`model_options`), and the run is of another
            kind or its images are not measured one by one.
    """
    from isthmus.cli import values
    from isthmus.cli.images import Asked, opened
    from isthmus.data.sizes import by_size, count
    from isthmus.evaluation.per_image import by_autoencoder, pictures_in
    from isthmus.pretrained import is_published

    size = None if image_size is None else values.size("--image-size", image_size)
    options = Asked(**model_options)
    model = opened(run, device, options)
    if model is None:
        return _of_run(run, data, device, image_size) if asked else None
    published = is_published(run)
    if not (asked or published or Path(data).is_dir()):
        _refuse_for_a_data_set(options)
        return None
    groups = by_size(data, model.config.in_channels, size)
    if not (asked or published or len(groups) > 1):
        _refuse_for_a_data_set(options)
        return None
    notes = () if published else (ALL_OF_THEM,)
    return Task(by_autoencoder(model, options.memory), pictures_in(groups), count(groups), notes)


def _refuse_for_a_data_set(options: Asked) -> None:
    """Refuse options that have no meaning where all images are measured together.

    Raises:
        OptionError: An option of image autoencoders was given.
    """
    given = options.first
    if given is not None:
        raise OptionError(
            f"{given} is for images that are measured one by one: add --per-image, or leave it out."
        )


def _of_run(run: str, data: str, device: str, image_size: str | None) -> Task:
    from isthmus.cli.given import data_for
    from isthmus.cli.running import open_run
    from isthmus.data.sizes import by_size, count
    from isthmus.evaluation.per_image import by_run, pictures_in

    trained, _ = open_run(run, device)
    rebuild = by_run(trained)
    if Path(data).is_dir() and image_size is None:
        groups = by_size(data, trained.spec.shape[0])
        return Task(rebuild, pictures_in(groups), count(groups), (ALL_OF_THEM,))
    given = data_for(trained, data, None, image_size)
    digits = len(str(len(given) - 1))
    rows = ((f"{i:0{digits}d}", batch.x) for i, batch in enumerate(given.chunks(1)))
    return Task(rebuild, rows, len(given), (ALL_OF_THEM, *given.notes))


def measure_images(
    run: str, task: Task, data: str, console: Console, output: str | None, features: str | None
) -> None:
    """Measure images one by one, print the table and write it."""
    from isthmus.cli.talk import note, with_progress, wrote
    from isthmus.evaluation.per_image import check_ending, image_figures

    if output is not None:
        check_ending(output)
    for text in task.notes:
        note(text)
    one_each = ([picture] for picture in task.pictures)
    pictures = (each[0] for each in with_progress(one_each, task.total, "measuring"))
    table = image_figures(task.rebuild, pictures, features=features)
    table.images.sort(key=lambda image: image.name)
    table.protocol = {"model": run, "images": data, "code": "the mean of q(z|x)"}
    print_images(table, console)
    if output is not None:
        wrote(table.write(output), f"the figures of {len(table.images):,} images")


def print_images(found: ImageTable, console: Console) -> None:
    """A row for each image, the mean with its standard error, and the sentences."""
    from rich import box
    from rich.table import Table

    columns = found.columns
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("image", overflow="fold")
    for heading in ("size", *(f"{c.title} {c.unit}".strip() for c in columns)):
        table.add_column(heading, justify="right")
    for image in found.images[:MOST_SHOWN]:
        figures = (
            f"{image.values[c.key]:,.{c.digits}f}" if c.key in image.values else "–"
            for c in columns
        )
        table.add_row(image.name, f"{image.height} × {image.width}", *figures)
    if len(found.images) > MOST_SHOWN:
        table.add_row(f"and {len(found.images) - MOST_SHOWN:,} more")
    table.add_section()
    means = [(c, found.mean(c.key)) for c in columns]
    table.add_row("mean", "", *(f"{mean.value:,.{c.digits}f}" for c, mean in means))
    if len(found.images) > 1:
        table.add_row("± error", "", *(f"{mean.error:,.{c.digits}f}" for c, mean in means))
    console.print(table)
    for key, value in found.overall.items():
        console.print(f"{key} {value:,.3f}", highlight=False)
    for sentence in found.words:
        console.print(textwrap.fill(sentence, console.width), style="dim", highlight=False)
