"""What the commands that use a trained run share: reading it, and writing rows chunk by chunk."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.cli import remembered
from isthmus.cli.given import Given, data_for
from isthmus.cli.sinks import Layout, Sink
from isthmus.cli.talk import note
from isthmus.conditions import needs_condition
from isthmus.data import Batch, DataSpec
from isthmus.data.condition import read_condition
from isthmus.errors import OptionError
from isthmus.fitting import Run
from isthmus.posteriors import code_shape, gives_integers
from isthmus.store import read_config
from isthmus.training.devices import choose_device

# Rows of one chunk: a small part of memory, and large enough for the processor.
CHUNK = 4096
# Of a chunk that is scored: each datum costs a thousand passes, and progress should show.
SCORED = 512
# Supports whose values, as pixels, lie in [0, 1].
PICTURED = ("unit", "binary")


def open_run(folder: str, device: str) -> tuple[Run, torch.device]:
    """A run, its model on the device."""
    where = choose_device(device)
    run = Run.read(Path(folder))
    if read_config(Path(folder)).get("finished") is False:
        note(
            f"the training in {folder} is not finished: these are its best weights so far, "
            "untrained ones before its first evaluation; --resume goes on with it"
        )
    run.model.to(where)
    return run, where


def begin(
    folder: str, data: str, label: str | None, image_size: str | None, device: str, seed: int
) -> tuple[Run, torch.device, Given]:
    """A run on the device and the data that it is for, their notes said; then chance is seeded."""
    run, where = open_run(folder, device)
    given = data_for(run, data, label, image_size)
    for text in given.notes:
        note(text)
    torch.manual_seed(seed)
    return run, where, given


def trained_on(run: Run, data: str | None, instead: str = "DATA") -> Given:
    """What a run was trained on: `data`, or what it remembers; a note where they are others.

    Args:
        run: A finished run.
        data: From where, or None.
        instead: What a user may give where the run's own are gone.
    """
    given = data_for(run, data or remembered.own_data(run, instead))
    if len(given) == run.spec.length:
        return given
    other = (
        f"these are {len(given):,} data and the run was trained on {run.spec.length:,}: other "
        "data have a split of their own"
    )
    return replace(given, notes=(other, *given.notes))


def one_condition(run: Run, text: str | None, where: torch.device) -> Tensor | None:
    """The condition (C,) that a command was given, None where a model reads none.

    Raises:
        OptionError: A conditional model was given none, or another model one.
    """
    if text is not None:
        return read_condition(run.spec.condition, text).to(where)
    model = run.model
    if needs_condition(model):
        said = ", ".join(
            f"{c.name} ({', '.join(c.categories[:10]) or 'a number'})" for c in run.spec.condition
        )
        raise OptionError(
            f"This model is conditioned on {said}: give it as --condition {_example(run)}."
        )
    return None


def sample_line(run: Run, place: str | Path) -> str:
    """The command that draws from a run, with a condition where its model needs one."""
    suffix = "csv"
    if run.spec.kind == "image":
        suffix = "png" if run.spec.support in PICTURED else "npy"
    words = ["isthmus", "sample", str(place)]
    if needs_condition(run.model):
        words += ["--condition", _example(run)]
    return shlex.join([*words, "-n", "64", "-o", f"samples.{suffix}"])


def _example(run: Run) -> str:
    """A condition as one gives it: of each column the first category, or about the mean."""
    values = [
        (c.name, c.categories[0] if c.categories else f"{c.shift:.3g}") for c in run.spec.condition
    ]
    return ",".join(f"{name}={value}" for name, value in values)


def code_layout(run: Run, rows: int, labels: bool, mode: str) -> Layout:
    """Codes that `mode` takes: the columns z0, z1, ..."""
    shape = code_shape(run.model.posterior, mode)
    names = tuple(f"z{i}" for i in range(torch.Size(shape).numel()))
    whole = gives_integers(run.model.posterior, mode)
    return Layout("codes", rows, shape, names, labels=labels, integers=whole)


def data_layout(spec: DataSpec, rows: int, what: str, labels: bool = False) -> Layout:
    """Data of a run: the table's own columns, else x0, x1, ..."""
    names = tuple(c.name for c in spec.columns) or tuple(f"x{i}" for i in range(spec.size))
    images = spec.kind == "image" and spec.support in PICTURED
    return Layout(what, rows, tuple(spec.shape), names, images, labels and "label" not in names)


def label_names(batch: Batch, classes: Sequence[str]) -> list[str] | None:
    """The labels of a batch in words."""
    if batch.labels is None or not classes:
        return None
    return [classes[i] for i in batch.labels.tolist()]


def write_rows(sink: Sink, rows: Tensor, labels: Sequence[str] | None = None) -> None:
    """Append a tensor from any device."""
    sink.write(rows.detach().cpu().numpy(), labels)


def parts_of(total: int, size: int = CHUNK) -> Iterable[range]:
    """0 .. total - 1 in stretches of at most `size`."""
    return (range(first, min(first + size, total)) for first in range(0, total, size))


def check_support(run: Run, x: Tensor, where: Any) -> None:
    """Refuse data that the run's likelihood gives no density.

    Raises:
        OptionError: Values outside its support.
    """
    if "real" in run.model.likelihood.supports or run.spec.support not in PICTURED:
        return
    if bool((x < 0).any() | (x > 1).any()):
        raise OptionError(
            f"{where} has values from {float(x.min()):g} to {float(x.max()):g}, and the run's "
            f"likelihood {type(run.model.likelihood).__name__} has a density on [0, 1] only: scale "
            "them as at training."
        )
