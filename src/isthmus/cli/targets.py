"""What `isthmus edit --towards` goes by: a label, a column, a factor, or numbers of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.cli.given import Given
from isthmus.data import Batch
from isthmus.errors import DataError, OptionError
from isthmus.fitting import Run
from isthmus.registry import did_you_mean

LABEL = "label"


class Wanted(NamedTuple):
    """A property of data.

    Args:
        kept: (N,) which data have it at all.
        values: Of those that do.
        towards: The value to go towards; None for numbers and marks.
    """

    kept: Tensor
    values: np.ndarray
    towards: Any


def read(text: str, run: Run, given: Given, known: Batch, rows: np.ndarray) -> Wanted:
    """What "label=7", "COLUMN", "FACTOR=2" or "FILE.npy" says of the data.

    Args:
        text: As the user wrote it.
        run: The labels' and columns' names are its.
        given: The data.
        known: Those at hand.
        rows: (N,) where they stand among all.

    Raises:
        DataError: The data have no labels, or the file has another length.
        OptionError: A label without a value, or a number with one.
        UnknownNameError: There is no such property or value.
    """
    if text.endswith(".npy"):
        return _of_file(text, len(given), rows)
    name, equals, value = text.partition("=")
    columns = [column.name for column in run.spec.columns]
    factors = [factor for factor, _ in given.source.spec.factors]
    labels = {LABEL, str(run.reading.options.get("label", LABEL))}
    everything = torch.ones(len(known), dtype=torch.bool)
    if name in columns:
        if equals:
            raise OptionError(
                f"--towards {text}: {name} is a number; --towards {name} goes up, and a negative "
                "--by down."
            )
        return Wanted(everything, _numbers(known.x.flatten(1)[:, columns.index(name)]), None)
    if name in factors and known.factors is not None:
        values = _numbers(known.factors[:, factors.index(name)])
        return Wanted(everything, values, float(value) if equals else None)
    if name in labels:
        return _of_label(text, value, given, known)
    raise did_you_mean("property", name, [LABEL, *columns, *factors])


def _of_label(text: str, value: str, given: Given, known: Batch) -> Wanted:
    if known.labels is None or not given.classes:
        raise DataError(f"--towards {text}: these data have no labels; give --label COLUMN.")
    if not value:
        raise OptionError(
            f"--towards {text}: say which of the classes {', '.join(given.classes[:10])}, such as "
            f"label={given.classes[0]}."
        )
    if value not in given.classes:
        raise did_you_mean("class", value, given.classes)
    labels = known.labels.cpu()
    kept = labels >= 0
    return Wanted(kept, labels[kept].numpy(), given.classes.index(value))


def _of_file(text: str, total: int, rows: np.ndarray) -> Wanted:
    if not Path(text).is_file():
        raise DataError(f"--towards {text}: there is no such file.")
    values = np.load(text, allow_pickle=False).reshape(-1)
    if len(values) != total:
        raise DataError(
            f"--towards {text} holds {len(values):,} values and there are {total:,} data: give one "
            "for each."
        )
    return Wanted(torch.ones(len(rows), dtype=torch.bool), values[rows], None)


def _numbers(column: Tensor) -> np.ndarray:
    found: np.ndarray = column.detach().cpu().numpy().astype(np.float64)
    return found
