"""`isthmus report`: draw a report again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder")
@click.argument("data", required=False)
def report(folder: str, data: str | None) -> None:
    """Draw report.html of a folder again.

    FOLDER is what `isthmus compare` or `isthmus fit` wrote. For a run, DATA are those that it was
    trained on: with them the report shows reconstructions, what each dimension changes, outliers
    and all else that is drawn from data.
    """
    from isthmus.cli.talk import wrote
    from isthmus.errors import RunError
    from isthmus.store import CONFIG

    place = Path(folder)
    if not place.is_dir():
        raise RunError(
            f"There is no folder {folder}; make one with `isthmus compare DATA -o {folder}`."
        )
    page = _of_run(place, data) if (place / CONFIG).exists() else _of_comparison(place, data)
    wrote(page, "the report")


def _of_comparison(folder: Path, data: str | None) -> Path:
    from isthmus.errors import OptionError
    from isthmus.evaluation import Comparison
    from isthmus.report import write_report

    if data is not None:
        raise OptionError(
            f"{folder} holds a comparison, which needs no data again: leave {data} out."
        )
    return write_report(Comparison.read(folder), folder / "report.html")


def _of_run(folder: Path, data: str | None) -> Path:
    from isthmus.cli.gallery import write_run_report
    from isthmus.cli.given import data_for
    from isthmus.cli.talk import note
    from isthmus.fitting import Run

    run = Run.read(folder)
    if data is None:
        return write_run_report(run, folder, None)
    given = data_for(run, data)
    for text in given.notes:
        note(text)
    return write_run_report(run, folder, given.as_source())
