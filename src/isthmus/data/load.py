"""One door to every kind of data: arrays, tables, files, folders and named data sets."""

from __future__ import annotations

import difflib
import json
import mmap
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

# Imported so that it files its suffixes; the tables are imported for their frames as well.
from isthmus.data import archives  # noqa: F401
from isthmus.data.arrays import ARRAY_OPTIONS, from_array, stream_npy
from isthmus.data.condition import attach
from isthmus.data.crops import cropped
from isthmus.data.formats import load_file, suffix_of
from isthmus.data.images import TAKEN, load_pictures
from isthmus.data.named import DATASETS
from isthmus.data.pictures import Pictures
from isthmus.data.reading import Reading
from isthmus.data.request import Request
from isthmus.data.source import Source
from isthmus.data.sparse import from_sparse
from isthmus.data.splits import MINIMUM_ROWS
from isthmus.data.tables import from_arrow
from isthmus.errors import DataError, OptionError

# What says nothing of how the values are read, or cannot be written down.
_FORGOTTEN = frozenset({"labels", "name", "min_rows", "condition"})


def load(
    what: Any,
    *,
    kind: str | None = None,
    support: str | None = None,
    label: str | None = None,
    labels: Any = None,
    columns: Sequence[str | int] | None = None,
    drop: Sequence[str | int] = (),
    image_size: int | tuple[int, int] | None = None,
    grey: bool | None = None,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    max_bytes: int = 2**30,
    min_rows: int = MINIMUM_ROWS,
    condition: Any = None,
    missing: bool = False,
    crop: int | tuple[int, int] | None = None,
    flip: bool = False,
    **options: Any,
) -> Source:
    """A source of data from whatever holds them.

    Args:
        what: An array or tensor (N, columns), (N, H, W), (N, H, W, C) or (N, C, H, W); a pandas,
            polars or Arrow table; a scipy sparse matrix; the path of a .npy, .npz, .csv, .csv.gz,
            .tsv or .parquet file, of a picture or of a folder of them; or the name of a data set
            ("digits", "shapes", "mnist", "fashion-mnist", "cifar10").
        kind: "table", "image" or "counts", where the data alone do not say it.
        support: "real", "unit", "binary" or "count", in place of what the values suggest.
        label: The column of a table that is the label.
        labels: (N,) labels of any type.
        columns: The columns to learn from, by name, or by number for arrays; all others are left
            out.
        drop: Columns to leave out.
        image_size: Height and width, or one number for both, to which images are resized.
        grey: Whether pictures are read as grey (True) or RGB (False); by the files if None.
        name: What the data are called in reports.
        folder: Where the files of a named data set are.
        max_bytes: What is larger than this in memory is streamed from its file.
        min_rows: The fewest data that will do; three can be split to train on.
        condition: What each datum is conditioned on: "label", a column or several by name (which
            are then not learned from), or an array (N,) or (N, width). Labels and text become
            one-hot codes, numbers lose their mean and are divided by their standard deviation.
        missing: Whether NaN stands for a missing element and is let through; a missing text in the
            condition is then a code of zeros, and a column of whole numbers with gaps is one of
            labels.
        crop: Height and width, or one number for both, of what is shown of an image: a place that
            is drawn anew in every epoch of training, the centre otherwise. Folders may then hold
            images of any sizes.
        flip: Whether training mirrors half of the images, left to right, drawn anew as well.
        options: Of a named data set, such as n= and seed= for "shapes".

    Returns:
        A source; its `notes` say what was handled.

    Raises:
        DataError: The data cannot be read, or not used as asked.
        OptionError: An option does not apply to such data.
        UnknownNameError: A kind, support or column that is not known.
    """
    request = Request(
        kind,
        support,
        label,
        labels,
        columns,
        tuple(drop),
        image_size,
        grey,
        name,
        max_bytes,
        min_rows,
        condition,
        missing,
        crop,
        flip,
    )
    found = _source(what, request, folder, options)
    source = attach(found, request)
    if not isinstance(found, Pictures):
        source = cropped(source, request)
    if source is not what:
        own = options if folder is None else {**options, "folder": os.fspath(folder)}
        source.reading = _reading(what, request, own)
    return source


def _source(
    what: Any, request: Request, folder: str | os.PathLike[str] | None, options: dict[str, Any]
) -> Source:
    if isinstance(what, str) and what in DATASETS:
        request.allow("named data sets", [])
        return _named(what, request, options if folder is None else {**options, "folder": folder})
    for option in [*options, *(["folder"] if folder is not None else [])]:
        raise OptionError(f"{option}= is an option of named data sets only; leave it out.")
    if isinstance(what, (str, os.PathLike)):
        if not os.fspath(what):
            raise DataError("The name of the data is empty; expected a path or a data set.")
        return _load_path(Path(what), request)
    return _load_object(what, request)


def _reading(what: Any, request: Request, own: dict[str, Any]) -> Reading:
    """What was asked for, as far as it can be written down."""
    named = {"condition": request.condition_names} if request.condition_names else {}
    shared = {f.name: getattr(request, f.name) for f in fields(request)}
    asked = {k: v for k, v in {**shared, **own}.items() if k not in _FORGOTTEN and _is_plain(v)}
    usual = {f.name: f.default for f in fields(request)}
    options = {k: v for k, v in asked.items() if k in own or v != usual[k]} | named
    before = what.reading if isinstance(what, Source) else Reading()
    data = os.fspath(what) if isinstance(what, (str, os.PathLike)) else before.data
    return Reading(data, {**before.options, **json.loads(json.dumps(options))})


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _named(what: str, request: Request, options: dict[str, Any]) -> Source:
    given = [f for f in ("kind", "support", "labels") if getattr(request, f) is not None]
    if given:
        raise OptionError(
            f"{given[0]}= does not apply to the data set {what!r}, which brings its own; leave it "
            "out."
        )
    source: Source = DATASETS.create(what, **options)
    if request.name is not None:
        source.spec = replace(source.spec, name=request.name)
    return source


def _load_path(path: Path, request: Request) -> Source:
    if path.is_dir():
        request.allow("folders of images", TAKEN)
        return load_pictures(path, request)
    if not path.exists():
        raise _missing(path)
    try:
        return load_file(path, request)
    except PermissionError as error:
        raise DataError(
            f"{path} may not be read ({error.strerror}); change its permissions."
        ) from error


def _missing(path: Path) -> DataError:
    """The error for a path that is not there, with what may have been meant."""
    names = [entry.name for entry in DATASETS]
    parent = path.parent
    # A word without a folder or a suffix may have been meant as a data set.
    near = names if path.name == str(path) and not suffix_of(path) else []
    if parent.is_dir():
        near = [*near, *sorted(p.name for p in parent.iterdir())]
    close = difflib.get_close_matches(path.name, near, n=1, cutoff=0.6)
    if close and close[0] not in names:
        close = [str(parent / close[0])]
    hint = f" Did you mean {close[0]!r}?" if close else ""
    where = "" if parent.is_dir() else f" The folder {str(parent)!r} does not exist either."
    return DataError(
        f"There is no file or data set {str(path)!r}.{hint}{where} Data sets: {', '.join(names)}."
    )


def _load_object(what: Any, request: Request) -> Source:
    import scipy.sparse

    if isinstance(what, Source):
        request.allow("a source", ["condition"])
        return what
    if scipy.sparse.issparse(what):
        request.allow("sparse matrices", [])
        return from_sparse(what, request, "the sparse matrix")
    if isinstance(what, Tensor):
        what = what.detach().cpu().numpy()
    if isinstance(what, np.memmap) and isinstance(what.base, mmap.mmap):
        large = what.size * 4 > request.max_bytes and what.filename is not None
        if large:
            return stream_npy(Path(what.filename), what, request)
    if isinstance(what, (np.ndarray, list, tuple)):
        request.allow("arrays", ARRAY_OPTIONS)
        return from_array(np.asarray(what), request, "the array")
    return _load_frame(what, request)


def _load_frame(what: Any, request: Request) -> Source:
    import narwhals.stable.v2 as nw
    import pyarrow as pa

    try:
        frame = nw.from_native(what, eager_only=True)
    except TypeError as error:
        raise DataError(
            f"A {type(what).__name__} is not understood as data; expected an array, a tensor, a "
            "data frame, a sparse "
            "matrix, a path or the name of a data set."
        ) from error
    request.allow("data frames", ["label", "columns", "drop"])
    if frame.shape[1] == 0:
        raise DataError("The data frame has no columns; expected at least one of numbers.")
    columns = [_column(frame[:, i]) for i in range(frame.shape[1])]
    table = pa.Table.from_arrays(columns, names=[str(c) for c in frame.columns])
    return from_arrow(table, request, "the data frame")


def _column(series: Any) -> Any:
    """A column of a frame as an Arrow array; mixed objects become text, and are refused as such
    where they matter.
    """
    import pyarrow as pa

    try:
        return series.to_arrow()
    except (pa.ArrowException, TypeError):
        return pa.array([None if v is None else str(v) for v in series.to_list()])
