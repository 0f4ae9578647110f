"""What a run remembers of how its data were read, as far as it applies to the data at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data import DATASETS
from isthmus.data.images import SUFFIXES
from isthmus.errors import OptionError
from isthmus.fitting import Run

TABLES = (".csv", ".csv.gz", ".tsv", ".parquet")
ARRAYS = (".npy", ".npz")


def own_data(run: Run, instead: str = "DATA") -> str:
    """What the run was trained on, where it was a file, a folder or a named data set.

    Args:
        run: A finished run.
        instead: What a user may give in its place.

    Raises:
        OptionError: It was something in memory, or is no longer where it was.
    """
    data = run.reading.data
    if data is None:
        raise OptionError(
            f"{run.folder} does not say which data it was trained on: give {instead}."
        )
    if data not in DATASETS and not Path(data).exists():
        raise OptionError(
            f"{run.folder} was trained on {data}, which is not here: give {instead}, or go to "
            "the folder that the training was started from."
        )
    return data


def applying(run: Run, data: str) -> dict[str, Any]:
    """The options of the run's own reading that data of this form take."""
    options = dict(run.reading.options)
    if data in DATASETS:
        return options if data == run.reading.data else {}
    taken = ["support", "max_bytes"]
    if is_pictures(data) or is_array(data):
        taken += ["image_size", "crop"] if run.spec.kind == "image" else []
    if data.lower().endswith(TABLES):
        taken += ["label"]
    found = {name: options[name] for name in taken if name in options}
    if "image_size" in found and "crop" not in found:
        # One number stands for both sides; the run knows them.
        found["image_size"] = tuple(run.spec.shape[1:])
    return found


def is_pictures(data: str) -> bool:
    """Whether the data are a folder of pictures or a single one."""
    return Path(data).is_dir() or data.lower().endswith(SUFFIXES)


def is_array(data: str) -> bool:
    """Whether the data are a file of arrays."""
    return data.lower().endswith(ARRAYS)


def array_columns(run: Run, data: str) -> tuple[str, ...] | None:
    """The columns of an array that the run learned from; None where they are all there are."""
    names = tuple(column.name for column in run.spec.columns)
    if not names or not is_array(data) or not all(map(str.isdigit, names)):
        return None
    shape = peek(data)
    if shape is None:
        wider = bool({"columns", "drop"} & run.reading.options.keys())
    else:
        wider = len(shape) == 2 and shape[1] > run.spec.size
    return names if wider else None


def peek(data: str) -> tuple[int, ...] | None:
    """The shape of a `.npy` file; None for any other, and for what the loader will refuse."""
    if not data.lower().endswith(".npy") or not Path(data).is_file():
        return None
    try:
        return tuple(np.load(data, mmap_mode="r", allow_pickle=False).shape)
    except (OSError, ValueError):
        return None


def told(options: dict[str, Any]) -> tuple[str, ...]:
    """A note on options that were remembered rather than given."""
    if not options:
        return ()
    return (f"read as at training: {', '.join(f'{k} {_word(v)}' for k, v in options.items())}",)


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        whole = all(isinstance(v, int) for v in value)
        return ("x" if whole and len(value) == 2 else ",").join(map(str, value))
    return str(value)
