"""`isthmus fit`: train one model."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from isthmus.fitting import Run

INTERRUPTED = 130


@click.command()
@options.data_argument
@options.model_options
@click.option(
    "--epochs", type=int, metavar="N", help="Passes over the data. [default: about 6,000 steps]"
)
@click.option("--minutes", type=float, metavar="M", help="In place of epochs, a wall-clock budget.")
@options.train_seed_option
@options.step_options
@options.machine_options
@click.option("--tensorboard", is_flag=True, default=None, help="Also write TensorBoard events.")
@options.data_options
@options.settings_options
@click.option("-o", "--output", metavar="RUN", help="The run folder. [default: runs/RECIPE-DATA]")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder.")
def fit(
    data: str,
    config: str | None,
    sets: Sequence[str],
    output: str | None,
    resume: bool,
    **flags: Any,
) -> None:
    """Train one model on DATA.

    The run folder holds config.json, model.safetensors, history.jsonl, report.html and checkpoints:
    it can be resumed with the same command and --resume, and every other command reads it.
    """
    from isthmus.cli.gallery import write_run_report
    from isthmus.cli.places import clean_start
    from isthmus.cli.settings import gather, load_data
    from isthmus.cli.talk import note
    from isthmus.fitting import fit as train
    from isthmus.fitting import leads
    from isthmus.training import LAST, ProgressBar, is_finished

    settings = gather(data, flags, sets, config)
    source = load_data(data, settings.data)
    folder = _folder(output, f"{settings.recipe}-{source.spec.name}", resume)
    # What cannot be read the resumption will refuse.
    finished = resume and bool(is_finished(folder))
    try:
        with clean_start(folder, LAST):
            run = train(
                source,
                settings.recipe,
                folder=folder,
                resume=resume,
                listeners=[]
                if finished
                else [ProgressBar(f"{settings.recipe} on {source.spec.name}")],
                say=note,
                **settings.model,
                **settings.training,
            )
    except KeyboardInterrupt:
        _stopped(folder, sys.argv[1:])
    if not leads():
        return
    if not finished:
        write_run_report(run, folder, source)
    _say_end(run, folder, data, finished)


def _folder(output: str | None, name: str, resume: bool) -> Path:
    from isthmus.cli.places import free_folder, latest_folder

    if output is not None:
        return Path(output)
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    return latest_folder(name) if resume else free_folder(name)


def _stopped(folder: Path, arguments: Sequence[str]) -> None:
    """Say where an interrupted run stands and how it goes on, and end."""
    from isthmus.training import HISTORY, LAST, read_history

    if not (folder / LAST).exists():
        click.echo("stopped before the first step; nothing was kept", err=True)
        sys.exit(INTERRUPTED)
    history = read_history(folder / HISTORY)
    step = history[-1]["step"] if history else 0
    again = [a for a in arguments if a != "--resume"]
    if not any(a in ("-o", "--output") or a.startswith(("-o", "--output=")) for a in again):
        again += ["-o", str(folder)]
    command = shlex.join(["isthmus", *again, "--resume"])
    click.echo(f"stopped at step {step}; resume with: {command}", err=True)
    sys.exit(INTERRUPTED)


def _say_end(run: Run, folder: Path, data: str, finished: bool) -> None:
    from isthmus.cli.images import takes_any_size
    from isthmus.cli.running import sample_line
    from isthmus.cli.talk import wrote
    from isthmus.fitting import METRICS
    from isthmus.store import read_json

    loss = read_json(folder / METRICS).get("training", {}).get("validation/loss")
    if finished:
        click.echo(f"{folder} was finished already: nothing was trained.")
    else:
        steps = max((r["step"] for r in run.history), default=0)
        wrote(folder, f"{run.recipe} on {run.spec.name}, {steps:,} steps")
    if loss is not None:
        click.echo(f"held-out loss {loss:.4f} nats per datum")
    place = shlex.quote(str(folder))
    codes = "latents.safetensors" if takes_any_size(folder) else "codes.npy"
    click.echo(f"Next: isthmus encode {place} {shlex.quote(data)} -o {codes}")
    click.echo(f"      {sample_line(run, folder)}")
