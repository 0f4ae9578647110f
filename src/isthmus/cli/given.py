"""Data for a trained run, read as they were at training: columns, kind, channels and unit."""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from torch import Tensor

from isthmus.cli import remembered, values
from isthmus.cli.remembered import TABLES
from isthmus.conditions import needs_condition
from isthmus.data import DATASETS, Batch, DataSpec, Source, load
from isthmus.data.condition import Conditioned, translation
from isthmus.errors import DataError, UnknownNameError
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.registry import did_you_mean

# A float image of a run on [0, 1] that goes beyond this is in the data's own unit, 0 to 255 for
# instance; a reconstruction may overshoot 1 by a little and is not.
OVERSHOOT = 1.5
PROBE = 1024


@final
@dataclass(frozen=True)
class Given:
    """Data in the units of a run's model.

    Args:
        source: As loaded.
        factor: What its values are multiplied by.
        recode: From the code of their own condition to that of the run's.
        notes: What was handled.
    """

    source: Source
    factor: float
    notes: tuple[str, ...]
    recode: Callable[[Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels' classes, empty where there are no labels."""
        return self.source.spec.classes

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their order, at most `size` at a time."""
        return map(self._in_units, self.source.chunks(size))

    def as_source(self) -> Source:
        """The same as a source, to be split as the run's data were."""
        if self.factor == 1.0 and self.recode is None:
            return self.source
        return Conditioned(self.source, self.source.spec, self._in_units)

    def _in_units(self, batch: Batch) -> Batch:
        if self.recode is not None and batch.condition is not None:
            batch = replace(batch, condition=self.recode(batch.condition))
        return batch if self.factor == 1.0 else replace(batch, x=batch.x * self.factor)


def data_for(run: Run, data: str, label: str | None = None, image_size: str | None = None) -> Given:
    """Read `data` as `run` read its own.

    Raises:
        DataError: They have another shape than the run's.
        UnknownNameError: A column that the run was trained on is missing.
    """
    spec = run.spec
    options: dict[str, Any] = {"label": label, "missing": spec.missing or None}
    if image_size is not None:
        options["image_size"] = values.size("--image-size", image_size)
    given = {name: value for name, value in options.items() if value is not None}
    given["condition"] = None
    if needs_condition(run.model):
        given["condition"] = tuple(column.name for column in spec.condition)
    kept = {k: v for k, v in remembered.applying(run, data).items() if k not in given}
    notes: tuple[str, ...] = ()
    if data not in DATASETS:
        # Named data sets are never that small, and take no such option.
        given |= {"kind": spec.kind, "min_rows": 1}
        path = Path(data)
        if remembered.is_pictures(data):
            given |= {"kind": None, "grey": spec.shape[0] == 1}
        elif path.is_file() and path.name.lower().endswith(TABLES):
            if kept.get("label") not in column_names(path):
                kept.pop("label", None)
            left = run.reading.options.get("drop", ())
            given["columns"], notes = run_columns(spec, path, label or kept.get("label"), left)
        elif (columns := remembered.array_columns(run, data)) is not None:
            kept["columns"] = columns
    _check_array(data, run, {**kept, **given})
    source = load(data, **{**kept, **given})
    _check_shape(source.spec, run, data)
    factor, unit_notes = unit_factor(source, spec, is_array=remembered.is_array(data))
    own = source.spec.condition
    recode = translation(own, spec.condition) if own else None
    told = remembered.told(kept)
    return Given(source, factor, (*source.notes, *told, *notes, *unit_notes), recode)


def _check_array(data: str, run: Run, options: Mapping[str, Any]) -> None:
    """Refuse an array of another size than the run's data, before its axes are interpreted."""
    shape = remembered.peek(data)
    if shape is None or options.get("columns") is not None:
        return
    resized = {"image_size", "crop"} & options.keys() and len(shape) > 2
    if math.prod(shape[1:]) != run.spec.size and not resized:
        raise _mismatch(data, shape, run)


def _mismatch(data: str, shape: Sequence[int], run: Run) -> DataError:
    expected = ", ".join(map(str, ("N", *run.spec.shape)))
    return DataError(
        f"{data} has shape {tuple(shape)} and the run {run.folder} expects ({expected}): give data "
        "like those it was trained on."
    )


def read_codes(run: Run, codes: str) -> Source:
    """Codes (N, Z) from an array, or from the columns z0, z1, ... of a table; or the integers of a
    discrete code.

    Raises:
        DataError: They have another width than the run's codes.
    """
    width = math.prod(run.model.latent_shape)
    integers = integer_width(run.model)
    columns = None
    if codes.lower().endswith(TABLES):
        whole = integers is not None and f"z{integers}" not in column_names(Path(codes))
        columns = [f"z{i}" for i in range(integers if integers and whole else width)]
    source = load(codes, kind="table", columns=columns, min_rows=1)
    if source.spec.size not in (width, integers) or len(source.spec.shape) != 1:
        raise DataError(
            f"{codes} holds codes of {source.spec.size} numbers, and the run {run.folder} expects "
            f"{width}: give codes that `isthmus encode` wrote with this run."
        )
    return source


def integer_width(model: LatentModel) -> int | None:
    """How many integers make a discrete code; None for any other."""
    posterior = model.posterior
    return math.prod(posterior.code_shape) if isinstance(posterior, DiscretePosterior) else None


def as_codes(model: LatentModel, rows: Tensor) -> Tensor:
    """Rows of a file as `model.decode` takes them: integers where all are whole and as many as a
    discrete code has.
    """
    posterior = model.posterior
    if isinstance(posterior, DiscretePosterior):
        wide = rows.shape[1] == integer_width(model)
        narrow = rows.shape[1] != math.prod(model.latent_shape)
        if wide and (narrow or rows.equal(rows.round())):
            return rows.round().long().reshape(len(rows), *posterior.code_shape)
    return rows.reshape(len(rows), *model.latent_shape)


def run_columns(
    spec: DataSpec, path: Path, label: str | None, left: Sequence[str] = ()
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The columns of a table that a run needs, in its order, and a note on those that it does not
    know, but for those that were left out at training.

    Raises:
        UnknownNameError: Some are missing.
    """
    names = tuple(column.name for column in spec.columns)
    if not names:
        return None, ()
    found = column_names(path)
    if len(found) <= 1 < len(names) and set(found).isdisjoint(names):
        # An empty file, or one with another separator: who reads it says so.
        return None, ()
    wanted = tuple(dict.fromkeys(name if name in found else _list_column(name) for name in names))
    missing = [name for name in wanted if name not in found]
    if len(missing) > 1:
        shown = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise UnknownNameError(
            f"{path} lacks {len(missing)} of the {len(wanted)} columns that the run learned from: "
            f"{shown}. It has: {', '.join(found)}."
        )
    if missing:
        said = str(did_you_mean("column", missing[0], found))
        near = said.removeprefix(f"Unknown column {missing[0]!r}.")
        raise UnknownNameError(
            f"{path} lacks the column {missing[0]!r} that the run was trained on.{near}"
        )
    told = {label, *left, *(column.name for column in spec.condition)}
    extra = [name for name in found if name not in wanted and name not in told]
    return wanted, (
        f"columns that the run does not know were left out: {', '.join(extra)}",
    ) if extra else ()


def column_names(path: Path) -> list[str]:
    """The columns of a table, from its first line or its schema.

    Raises:
        DataError: It is not a readable file of its kind.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet_names(path)
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter="\t" if ".tsv" in path.suffixes else ","), [])
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise DataError(f"{path} is not a readable CSV file ({error}): write it again.") from error
    # Without a line of names the columns go by their number.
    return [str(i) for i in range(len(names))] if names and all(map(_is_number, names)) else names


def _parquet_names(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} is not a readable Parquet file ({reason}): write it again."
        ) from error


def unit_factor(source: Source, spec: DataSpec, *, is_array: bool) -> tuple[float, tuple[str, ...]]:
    """What brings the numbers of an array to the run's unit, and a note if that is not 1."""
    if not is_array or spec.kind != "image" or spec.unit in (1.0, source.spec.unit):
        return 1.0, ()
    if source.spec.unit != 1.0:
        factor = source.spec.unit / spec.unit
    elif source.spec.support == "real" and _peak(source) > OVERSHOOT:
        factor = 1.0 / spec.unit
    else:
        return 1.0, ()
    return factor, (f"the values were divided by {spec.unit:g}, as at training",)


def _peak(source: Source) -> float:
    return float(next(source.chunks(PROBE)).x.max())


def _check_shape(got: DataSpec, run: Run, data: str) -> None:
    if got.shape == run.spec.shape:
        return
    advice = "give data of the same shape"
    if len(got.shape) == len(run.spec.shape) == 3 and got.shape[0] == run.spec.shape[0]:
        advice = f"resize them with --image-size {run.spec.shape[1]}x{run.spec.shape[2]}"
    raise DataError(
        f"{data} holds data of shape {got.shape}, and the run {run.folder} expects "
        f"{run.spec.shape}: {advice}."
    )


def _list_column(element: str) -> str:
    """The column of lists that an element such as `v[3]` belongs to."""
    found = re.fullmatch(r"(.*)\[\d+\]", element)
    return element if found is None else found[1]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
