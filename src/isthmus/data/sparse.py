"""Sparse matrices: kept dense where that is small, else as rows that become dense batch by
batch.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from isthmus.data.checks import check_rows, outside
from isthmus.data.indexed import Indexed
from isthmus.data.labels import encode_labels
from isthmus.data.request import Request
from isthmus.data.resident import Resident
from isthmus.data.source import Batch, Source
from isthmus.data.spec import DataSpec
from isthmus.errors import DataError

DENSE_BYTES = 512 * 2**20


@final
class Sparse(Indexed):
    """Rows of a scipy CSR matrix; a batch of them is dense.

    Args:
        matrix: (N, columns), CSR, float32.
        spec: Its length is N.
        labels: (N,) int64, or None.
        condition: (N, C) float32, or None.
        notes: What the loader handled.
    """

    def __init__(
        self,
        matrix: Any,
        spec: DataSpec,
        *,
        labels: Tensor | None = None,
        condition: Tensor | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.matrix = matrix
        self.spec = spec
        self.labels = labels
        self.condition = condition
        self.notes = notes

    def rows(self, index: Tensor) -> Batch:
        """The data at `index`, dense."""
        x = torch.from_numpy(self.matrix[index.numpy()].toarray())
        return Batch(
            x,
            None if self.labels is None else self.labels.index_select(0, index),
            condition=None if self.condition is None else self.condition.index_select(0, index),
        )

    def select(self, index: Tensor) -> Sparse:
        """The rows at `index` as a source of their own."""
        return Sparse(
            self.matrix[index.numpy()],
            self.spec.with_length(len(index)),
            labels=None if self.labels is None else self.labels.index_select(0, index),
            condition=None if self.condition is None else self.condition.index_select(0, index),
            notes=self.notes,
        )


def _check_entries(matrix: Any, support: str, where: str) -> None:
    """Check what is stored; the zeros need no look."""
    entries = torch.from_numpy(matrix.data)
    bad = ~torch.isfinite(entries)
    wrong = outside(entries, support)
    if wrong is not None:
        bad |= wrong
    places = torch.nonzero(bad).flatten()
    if len(places):
        at = int(places[0])
        row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
        more = f"; {len(places)} such values in all" if len(places) > 1 else ""
        raise DataError(
            f"{where} has the value {matrix.data[at]:g} in row {row} (from 0), column "
            f"{matrix.indices[at]}, which "
            f"the support {support!r} does not hold{more}; correct it, or fill it if it is NaN."
        )


def from_sparse(matrix: Any, request: Request, where: str) -> Source:
    """A source from a scipy sparse matrix.

    Non-negative whole numbers are counts, anything else is a table of reals.

    Args:
        matrix: (N, columns), any scipy format.
        request: `kind`, `support`, `labels` and `name` count.
        where: What the data are called.

    Raises:
        DataError: Another shape than (N, columns), or it is asked for as images.
    """
    if matrix.ndim != 2:
        raise DataError(f"{where} has shape {matrix.shape}; expected a sparse matrix of two axes.")
    check_rows(matrix.shape[0], where, request.min_rows)
    if not matrix.shape[1]:
        raise DataError(f"{where} has no columns; expected at least one.")
    matrix = matrix.tocsr().astype(np.float32)
    matrix.sum_duplicates()
    whole = bool((matrix.data >= 0).all() and (matrix.data == np.round(matrix.data)).all())
    kind = request.kind or ("counts" if whole else "table")
    if kind == "image":
        raise DataError(
            f"{where} is a sparse matrix, which holds no images; give an array (N, H, W)."
        )
    support = request.support or ("count" if kind == "counts" else "real")
    _check_entries(matrix, support, where)
    n, width = matrix.shape
    labels, classes = (
        (None, ()) if request.labels is None else encode_labels(request.labels, n, where)
    )
    spec = DataSpec(kind, (width,), support, n, request.name or where, classes=classes)
    unused = int((matrix.count_nonzero(axis=0) == 0).sum())
    empty = int((matrix.count_nonzero(axis=1) == 0).sum())
    notes = (
        *([f"{unused} of {width} columns are 0 in every row"] if unused else []),
        *([f"{empty} of {n} rows are empty (all 0)"] if empty else []),
    )
    if n * width * 4 > DENSE_BYTES:
        return Sparse(matrix, spec, labels=labels, notes=notes)
    return Resident(torch.from_numpy(matrix.toarray()), spec, labels=labels, notes=notes)
