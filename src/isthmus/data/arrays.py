"""Arrays as sources: what kind of data an array holds, and its checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from isthmus.data.checks import (
    check_finite,
    check_present,
    check_rows,
    check_support,
    extremes_note,
    rounding_note,
)
from isthmus.data.condition import attach
from isthmus.data.crops import as_size
from isthmus.data.form import counts_note, form_of, levels_note
from isthmus.data.images import resize
from isthmus.data.labels import encode_labels
from isthmus.data.readers import NpyReader, to_tensor
from isthmus.data.request import Request
from isthmus.data.resident import Resident, stored
from isthmus.data.source import Source
from isthmus.data.spec import Column, DataSpec
from isthmus.data.streamed import Streamed
from isthmus.errors import DataError, OptionError
from isthmus.registry import did_you_mean

ARRAY_OPTIONS = ("columns", "drop", "image_size")


def check_array(array: np.ndarray, where: str, least: int) -> None:
    """Raise a `DataError` unless there are at least `least` data of numbers, of 2 to 4 axes."""
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where} holds {_type_name(array)}, where numbers belong{_first_text(array)}; "
            "convert it to float32, or "
            "load the table from a CSV or Parquet file or a data frame."
        )
    if array.ndim < 2:
        raise DataError(
            f"{where} has shape {array.shape}; expected at least two axes, (rows, columns): "
            "reshape it, for instance "
            "with x.reshape(-1, 1)."
        )
    check_rows(len(array), where, least)
    if array.size == 0:
        raise DataError(
            f"{where} has shape {array.shape}, so a row has no columns; expected at least one."
        )


def _type_name(array: np.ndarray) -> str:
    return {"O": "objects", "U": "text", "S": "text", "c": "complex numbers"}.get(
        array.dtype.kind, f"values of type {array.dtype}"
    )


def _first_text(array: np.ndarray) -> str:
    if array.dtype.kind not in "OUS":
        return ""
    for place, value in np.ndenumerate(array):
        if isinstance(value, (str, bytes)):
            rest = f", column {place[1]}" if len(place) > 1 else ""
            return f" ({str(value)!r} in row {place[0]} (from 0){rest})"
    return ""


def _kind_of(array: np.ndarray, request: Request, where: str) -> str:
    kind = request.kind or ("table" if array.ndim == 2 else "image")
    if kind == "image" and array.ndim not in (3, 4):
        raise DataError(
            f"{where} has shape {array.shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, "
            "W): reshape it, or "
            "give kind='table'."
        )
    return kind


def _small_integers(array: np.ndarray, kind: str) -> np.ndarray:
    """Whole numbers of 0 to 255 in images as bytes, as which they are meant."""
    if kind != "image" or array.dtype.kind not in "biu" or array.dtype == np.uint8:
        return array
    return array.astype(np.uint8) if array.min() >= 0 and array.max() <= 255 else array


def choose_columns(
    array: np.ndarray, request: Request, names: tuple[str, ...], where: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The columns of a two-axis array that were asked for, by number or by name.

    Raises:
        DataError: No column is left.
        OptionError: Columns are chosen of an array that is no table.
        UnknownNameError: There is no such column.
    """
    conditions = request.condition_columns
    if request.columns is None and not request.drop and not conditions:
        return array, names
    if array.ndim != 2:
        raise OptionError(
            f"columns=, drop= and condition= choose columns of a table; {where} has shape "
            f"{array.shape}."
        )
    known = [str(n) for n in (names or range(array.shape[1]))]

    def number(column: str | int) -> int:
        if str(column) not in known:
            raise did_you_mean(f"column of {where}:", str(column), known)
        return known.index(str(column))

    asked = [number(c) for c in request.columns] if request.columns else list(range(len(known)))
    out = {number(c) for c in (*request.drop, *conditions)}
    kept = [c for c in asked if c not in out]
    if not kept:
        raise DataError(f"{where}: no columns are left of {len(known)}; drop fewer.")
    return array[:, kept], tuple(known[c] for c in kept)


def condition_columns(
    array: np.ndarray, request: Request, names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """The columns of a two-axis array that the others are conditioned on, by name."""
    known = [str(n) for n in (names or range(array.shape[1]))]
    return {name: array[:, known.index(name)] for name in request.condition_columns}


def beside_labels(
    request: Request, rows: int, where: str, classes: tuple[str, ...] = ()
) -> tuple[Tensor | None, tuple[str, ...]]:
    """The labels that were given beside the data, as indices and class names."""
    if request.labels is None:
        return None, ()
    return encode_labels(request.labels, rows, where, classes)


def constant_note(x: Tensor, names: tuple[str, ...]) -> tuple[str, ...]:
    """A line on the columns of a table (N, columns) whose values are all the same."""
    return describe_constant((x == x[0]).all(0), names)


def describe_constant(constant: Tensor, names: tuple[str, ...]) -> tuple[str, ...]:
    """A line on constant columns.

    Args:
        constant: (columns,) bool.
        names: Of the columns, or empty.
    """
    places = torch.nonzero(constant.flatten()).flatten().tolist()
    if not places:
        return ()
    shown = ", ".join(repr(names[p]) if names else str(p) for p in places[:5])
    more = ", ..." if len(places) > 5 else ""
    plural = "column has" if len(places) == 1 else "columns have"
    return (f"{len(places)} {plural} the same value in every row ({shown}{more})",)


def resident_table(
    x: Tensor,
    request: Request,
    where: str,
    *,
    names: tuple[str, ...] = (),
    labels: Tensor | None = None,
    classes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    test_from: int | None = None,
) -> Resident:
    """A source from checked-to-be rows of float32 (N, columns)."""
    gaps = check_present(x, request.missing, where, names)
    filled = torch.nan_to_num(x) if gaps else x
    form = form_of(filled, request.kind or "table", request.support)
    check_support(filled, form.support, where, names)
    columns = tuple(Column(n) for n in names)
    spec = DataSpec(
        form.kind,
        (x.shape[1],),
        form.support,
        len(x),
        request.name or where,
        columns=columns,
        classes=classes,
        missing=bool(gaps),
    )
    guess = () if request.kind or request.support else counts_note(filled, form)
    far = extremes_note(x, names) if form.support == "real" else ()
    said = (*notes, *gaps, *constant_note(x, names), *far, *guess)
    return Resident(x, spec, labels=labels, notes=said, test_from=test_from)


def from_array(
    array: np.ndarray,
    request: Request,
    where: str,
    *,
    names: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    test_from: int | None = None,
) -> Resident:
    """A source from an array in memory.

    Args:
        array: (N, columns), (N, H, W), (N, H, W, C) or (N, C, H, W).
        request: `kind`, `support`, `labels`, `columns`, `drop`, `image_size` and `name` count.
        where: What the data are called.
        names: Of the columns, or empty.
        classes: Names of the label values 0, 1, ... where they come with the data.
        notes: What was handled before.
        test_from: Row where the data set's own test part begins.
    """
    check_array(array, where, request.min_rows)
    kind = _kind_of(array, request, where)
    labels, classes = beside_labels(request, len(array), where, classes)
    if kind != "image":
        chosen, left = choose_columns(array, request, names, where)
        x, flat = to_tensor(chosen, image=False), chosen.reshape(len(chosen), -1)
        notes = (*notes, *rounding_note(x, lambda at: flat[:, at], left))
        table = resident_table(
            x,
            request,
            where,
            names=left,
            labels=labels,
            classes=classes,
            notes=notes,
            test_from=test_from,
        )
        conditioned = attach(table, request, condition_columns(array, request, names))
        return cast(Resident, conditioned)
    return resident_images(
        array, request, where, labels=labels, classes=classes, notes=notes, test_from=test_from
    )


def resident_images(
    array: np.ndarray,
    request: Request,
    where: str,
    *,
    labels: Tensor | None = None,
    classes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    test_from: int | None = None,
) -> Resident:
    """A source from images in memory, (N, H, W), (N, H, W, C) or (N, C, H, W).

    Raises:
        DataError: A value that is missing, not finite or outside the support.
        OptionError: An option that images do not take.
    """
    request.allow("images", ["image_size"])
    x = to_tensor(_small_integers(array, "image"), image=True)
    gaps = check_present(x, request.missing, where)
    x = resize(x, as_size(request.image_size, "image_size") or (x.shape[2], x.shape[3]))
    form = form_of(torch.nan_to_num(x) if gaps else x, "image", request.support)
    x = stored(x, form.unit)
    check_support(torch.nan_to_num(x) if gaps else x, form.support, where)
    spec = DataSpec(
        "image",
        tuple(x.shape[1:]),
        form.support,
        len(x),
        request.name or where,
        classes=classes,
        unit=form.unit,
        missing=bool(gaps),
    )
    seen = (*notes, *gaps)
    if request.support is None:
        seen += levels_note(torch.nan_to_num(x) if gaps else x, form)
    return Resident(x, spec, labels=labels, notes=seen, test_from=test_from)


def stream_npy(path: Path, mapped: np.memmap[Any, Any], request: Request) -> Source:
    """A streamed source from a `.npy` file that numpy has mapped.

    Raises:
        DataError: It is stored column by column.
    """
    where = str(path)
    check_array(mapped, where, request.min_rows)
    request.allow("an array that is streamed", [])
    if not mapped.flags.c_contiguous:
        raise DataError(
            f"{where} is stored column by column (Fortran order) and too large for memory; save "
            "it again from "
            "np.ascontiguousarray, a part at a time."
        )
    kind = _kind_of(mapped, request, where)
    labels, classes = beside_labels(request, len(mapped), where)
    reader = NpyReader(path, mapped, image=kind == "image", labels=labels)
    sample = next(reader.read(0, 0)).x
    check_finite(sample, where)
    form = form_of(sample, kind, request.support, whole=False)
    notes = (
        (f"values taken to be in {form.support!r} from the first {len(sample)} rows",)
        if kind == "image" and sample.dtype != torch.uint8
        else ()
    )
    spec = DataSpec(
        kind,
        tuple(sample.shape[1:]),
        form.support,
        len(mapped),
        request.name or path.stem,
        classes=classes,
        unit=form.unit,
    )
    return Streamed(reader, spec, notes=notes)
