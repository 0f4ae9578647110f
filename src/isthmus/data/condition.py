"""What data are conditioned on: labels, columns or an array, as rows of numbers.

A category becomes its one-hot code; a number loses its mean and is divided by its standard
deviation over all data. The spec keeps both, so that a condition of other data, or one that a user
names, is coded the same way later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.data.labels import check_classes, class_name
from isthmus.data.request import LABEL, Request
from isthmus.data.resident import Resident
from isthmus.data.source import Batch, Source
from isthmus.data.sparse import Sparse
from isthmus.data.spec import ConditionColumn, DataSpec
from isthmus.errors import DataError, OptionError
from isthmus.registry import did_you_mean

Coded = tuple[list[ConditionColumn], list[Tensor]]


@final
class Conditioned(Source):
    """A source whose batches get their condition from what they hold.

    Args:
        source: Of the batches.
        spec: With the condition.
        of: A batch of the source -> the same with its condition.
    """

    def __init__(self, source: Source, spec: DataSpec, of: Callable[[Batch], Batch]) -> None:
        self.source = source
        self.spec = spec.with_length(len(source))
        self.notes = source.notes
        self.split_method = source.split_method
        self.redrawn = source.redrawn
        self._of = of

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        batches = self.source.epoch(batch_size, seed=seed, epoch=epoch, start=start, stride=stride)
        return map(self._of, batches)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        return map(self._of, self.source.chunks(size))

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of the source that is conditioned."""
        return self.over(self.source.subset(part, seed, fractions))

    def over(self, source: Source) -> Conditioned:
        """Other data of the same kind, conditioned in the same way."""
        return Conditioned(source, self.spec, self._of)


def attach(source: Source, request: Request, columns: Mapping[str, Any] | None = None) -> Source:
    """A source with the condition that was asked for.

    Args:
        source: Without one.
        request: `condition` and `missing` count.
        columns: (N,) or (N, width) values of the columns that are conditioned on, by name.

    Raises:
        DataError: There are no labels, not one condition for each datum, or one is missing.
        OptionError: Such data cannot be conditioned like that.
    """
    if request.condition is None or source.spec.condition:
        return source
    names, where = request.condition_names, source.spec.name
    if names == (LABEL,) and not isinstance(source, (Resident, Sparse)):
        return _by_label(source)
    if not isinstance(source, (Resident, Sparse)):
        raise OptionError(
            f"condition= of {where}, which is not held in memory, takes 'label' or columns of a "
            "Parquet file; an array has to be a column of it."
        )
    found: Coded = ([], [])
    for name in names:
        if name == LABEL:
            _add(found, _label_column(source.spec), one_hot(_labels(source), source.spec))
        else:
            known = columns or {}
            if name not in known:
                raise did_you_mean(f"condition of {where}:", name, {LABEL, *known})
            _encode(found, known[name], name, len(source), request.missing)
    if not names:
        _encode(found, request.condition, "condition", len(source), request.missing)
    conditioned = copy(source)
    conditioned.spec = replace(source.spec, condition=tuple(found[0]))
    conditioned.condition = torch.cat(found[1], 1)
    return conditioned


def split_columns(source: Source, names: Sequence[str]) -> Source:
    """A table of numbers, some of whose columns are what the others are conditioned on.

    Args:
        source: One pass over it finds the mean and scale of the columns.
        names: Of those columns, or "label".
    """
    spec = source.spec
    known = [column.name for column in spec.columns]
    numbers = [known.index(name) for name in names if name != LABEL]
    kept = [i for i in range(len(known)) if i not in numbers]
    means, scales = _moments(source, numbers)
    number_columns = iter(
        ConditionColumn(known[i], (), float(m), float(s))
        for i, m, s in zip(numbers, means, scales, strict=True)
    )
    columns = tuple(_label_column(spec) if n == LABEL else next(number_columns) for n in names)

    def of(batch: Batch) -> Batch:
        scaled = iter(((batch.x[:, numbers] - means) / scales).split(1, 1))
        parts = [one_hot(batch.labels, spec) if n == LABEL else next(scaled) for n in names]
        return replace(batch, x=batch.x[:, kept], condition=torch.cat(parts, 1))

    left = tuple(spec.columns[i] for i in kept)
    return Conditioned(
        source, replace(spec, shape=(len(kept),), columns=left, condition=columns), of
    )


def translation(
    given: Sequence[ConditionColumn], wanted: Sequence[ConditionColumn]
) -> Callable[[Tensor], Tensor]:
    """From the code of one source's condition to the code that a model was trained on.

    Raises:
        DataError: They are conditions of other columns.
        UnknownNameError: A category that the model does not know.
    """
    if [c.name for c in given] != [c.name for c in wanted] or [
        bool(c.categories) for c in given
    ] != [bool(c.categories) for c in wanted]:
        raise DataError(
            f"These data are conditioned on {_names(given)}, and the model on {_names(wanted)}: "
            "load them with the same condition."
        )
    blocks, shifts = [], []
    for ours, theirs in zip(given, wanted, strict=True):
        if theirs.categories:
            for category in ours.categories:
                if category not in theirs.categories:
                    raise did_you_mean(f"value of {ours.name}", category, theirs.categories)
            places = torch.tensor([theirs.categories.index(c) for c in ours.categories])
            blocks.append(F.one_hot(places, len(theirs.categories)).float())
            shifts.append(torch.zeros(len(theirs.categories)))
        else:
            blocks.append(torch.tensor([[ours.scale / theirs.scale]]))
            shifts.append(torch.tensor([(ours.shift - theirs.shift) / theirs.scale]))
    matrix, shift = torch.block_diag(*blocks), torch.cat(shifts)
    return lambda condition: condition @ matrix + shift


def read_condition(columns: Sequence[ConditionColumn], text: str) -> Tensor:
    """One condition (C,) from text: the values in the columns' order, or name=value, by commas.

    Raises:
        OptionError: Not one value for each column, or one that is no number.
        UnknownNameError: A category or column that there is not.
    """
    if not columns:
        raise OptionError("This model is not conditioned on anything: leave the condition out.")
    names = [column.name for column in columns]
    parts = [part.strip() for part in text.split(",")] if len(columns) > 1 else [text.strip()]
    said = dict(part.split("=", 1) for part in parts if part.split("=", 1)[0] in names)
    if not said:
        said = dict(zip(names, parts, strict=False))
    if len(said) != len(columns) or len(parts) != len(columns):
        raise OptionError(
            f"The condition {text!r} gives {len(parts)} of {len(columns)} values: give one for "
            f"each of {', '.join(names)}, such as {','.join(f'{n}=...' for n in names)}."
        )
    return torch.cat([_read(column, said[column.name]) for column in columns])


def change_condition(columns: Sequence[ConditionColumn], text: str) -> Callable[[Tensor], Tensor]:
    """From conditions (N, C) to the same with what `text` says: all of it, or name=value for some.

    Raises:
        OptionError: As `read_condition`.
        UnknownNameError: As `read_condition`.
    """
    parts = [part.strip().split("=", 1) for part in text.split(",")]
    named = {part[0]: part[1] for part in parts if len(part) == 2}
    some = [column for column in columns if column.name in named]
    if len(some) < len(parts) or len(columns) == 1:
        whole = read_condition(columns, text)
        return lambda condition: whole.to(condition).expand_as(condition)
    said = {column.name: _read(column, named[column.name]) for column in some}

    def change(condition: Tensor) -> Tensor:
        blocks = condition.split([column.width for column in columns], 1)
        pairs = zip(columns, blocks, strict=True)
        new = [said[c.name].to(b).expand_as(b) if c.name in said else b for c, b in pairs]
        return torch.cat(new, 1)

    return change


def one_hot(labels: Tensor | None, spec: DataSpec) -> Tensor:
    """(B, classes) float32; a row of zeros where the label is missing (below 0).

    Raises:
        DataError: The data have no labels.
    """
    if labels is None or not spec.classes:
        raise DataError(
            f"{spec.name} has no labels to be conditioned on: give labels=, or label= for a "
            "column of a table."
        )
    known = (labels >= 0).unsqueeze(1)
    return F.one_hot(labels.clamp(min=0), len(spec.classes)).float() * known


def _by_label(source: Source) -> Source:
    spec = source.spec
    conditioned = replace(spec, condition=(_label_column(spec),))
    return Conditioned(
        source, conditioned, lambda batch: replace(batch, condition=one_hot(batch.labels, spec))
    )


def _labels(source: Resident | Sparse) -> Tensor | None:
    return source.labels


def _label_column(spec: DataSpec) -> ConditionColumn:
    return ConditionColumn(LABEL, spec.classes)


def _add(found: Coded, column: ConditionColumn, values: Tensor) -> None:
    found[0].append(column)
    found[1].append(values)


def _encode(found: Coded, values: Any, name: str, rows: int, missing: bool) -> None:
    """Code raw values (rows,) or (rows, width), and add their columns to `found`."""
    values = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if values.ndim not in (1, 2) or len(values) != rows:
        raise DataError(
            f"The condition {name!r} has shape {values.shape} and there are {rows} data: give one "
            f"row for each, ({rows},) or ({rows}, width)."
        )
    if values.ndim == 1:
        _encode_column(found, values, name, missing)
        return
    for i in range(values.shape[1]):
        _encode_column(found, values[:, i], f"{name}[{i}]", missing)


def _encode_column(found: Coded, values: np.ndarray, name: str, missing: bool) -> None:
    if missing and values.dtype.kind == "f" and _are_classes(values):
        values = np.array([None if v != v else class_name(v) for v in values.tolist()], object)
    if values.dtype.kind in "biuf":
        numbers = values.astype(np.float64)
        _refuse_missing(~np.isfinite(numbers), name)
        # Rounding gives equal numbers a spread of their own.
        constant = bool((numbers == numbers[0]).all())
        shift, scale = float(numbers.mean()), 1.0 if constant else float(numbers.std()) or 1.0
        scaled = torch.from_numpy(((numbers - shift) / scale).astype(np.float32))
        _add(found, ConditionColumn(name, (), shift, scale), scaled[:, None])
        return
    absent = np.array([v is None or v != v for v in values])
    if not missing:
        _refuse_missing(absent, name)
    words = np.array(
        ["" if gone else class_name(v) for v, gone in zip(values, absent, strict=True)]
    )
    categories = np.unique(words[~absent])
    check_classes(len(categories), f"The condition {name!r}")
    places = np.searchsorted(categories, words).clip(max=max(len(categories) - 1, 0))
    codes = F.one_hot(torch.from_numpy(places), len(categories)).float()
    codes[torch.from_numpy(absent)] = 0.0
    _add(found, ConditionColumn(name, tuple(map(str, categories))), codes)


def _are_classes(values: np.ndarray) -> bool:
    """Whether numbers are labels of which some are missing: whole ones with gaps between."""
    absent = np.isnan(values)
    return bool(absent.any()) and bool((values == np.round(values))[~absent].all())


def _refuse_missing(absent: np.ndarray, name: str) -> None:
    if absent.any():
        raise DataError(
            f"The condition {name!r} is missing in row {int(absent.argmax())} (from 0; "
            f"{int(absent.sum())} in all): fill it, or leave those rows out."
        )


def _read(column: ConditionColumn, text: str) -> Tensor:
    if column.categories:
        if text not in column.categories:
            raise did_you_mean(f"value of {column.name}", text, column.categories)
        place = torch.tensor(column.categories.index(text))
        return F.one_hot(place, len(column.categories)).float()
    try:
        return torch.tensor([(float(text) - column.shift) / column.scale])
    except ValueError:
        raise OptionError(f"The condition {column.name!r} is a number; got {text!r}.") from None


def _moments(source: Source, columns: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of some columns, each (columns,), 1 for a constant one."""
    total = squares = torch.zeros(len(columns), dtype=torch.float64)
    origin: Tensor | None = None
    for batch in source.chunks(65536):
        x = batch.x[:, columns].double()
        # Sums of squares about a value of the column's own do not cancel.
        origin = x[0] if origin is None else origin
        total, squares = total + (x - origin).sum(0), squares + (x - origin).square().sum(0)
    mean = total / len(source)
    scale = (squares / len(source) - mean.square()).clamp(min=0).sqrt()
    shift = mean if origin is None else mean + origin
    return shift.float(), scale.where(scale > 0, torch.ones_like(scale)).float()


def _names(columns: Sequence[ConditionColumn]) -> str:
    return ", ".join(repr(column.name) for column in columns) or "nothing"
