"""The rows of a scikit-learn matrix as a source of data, and as tensors for a trained model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from isthmus.data import Batch, Column, DataSpec, Resident, Source, Sparse
from isthmus.data.checks import check_finite, check_present, outside
from isthmus.data.form import form_of
from isthmus.data.indexed import Indexed, order
from isthmus.data.request import SUPPORTS
from isthmus.data.sparse import DENSE_BYTES
from isthmus.errors import DataError, OptionError
from isthmus.likelihoods import LIKELIHOODS

# A bound over fewer held-out data than this says too little to choose weights by.
FEWEST_HELD_OUT = 5


@final
class TrainingRows(Source):
    """Data of which a part is held out to choose the weights; to test is the caller's business.

    Where the held-out part would be too small to judge by, all rows both train and judge.

    Args:
        whole: The data.
        fraction: The share to hold out, 0 for none.

    Raises:
        OptionError: The fraction is not in [0, 1).
    """

    def __init__(self, whole: Indexed, fraction: float) -> None:
        if not 0 <= fraction < 1:
            raise OptionError(
                f"validation_fraction={fraction!r} is not a share that can be held out: give 0 or "
                "more and less than 1, such as 0.1."
            )
        self._whole = whole
        self._held_out = round(fraction * len(whole))
        self.spec = whole.spec
        self.notes = whole.notes
        if self._held_out < FEWEST_HELD_OUT:
            self._held_out = 0
            self.notes = (
                *whole.notes,
                f"of {len(whole)} rows too few can be held out; the training rows themselves chose "
                "the weights",
            )

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        return self._whole.epoch(batch_size, seed=seed, epoch=epoch, start=start, stride=stride)

    def chunks(self, size: int) -> Iterator[Batch]:
        return self._whole.chunks(size)

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The training rows, or the held-out ones for any other part; `fractions` are not read."""
        if not self._held_out:
            return self._whole
        held_out, train = order(len(self), seed).tensor_split([self._held_out])
        return self._whole.select((train if part == "train" else held_out).sort()[0])


def source_of(
    X: Any,
    shape: Sequence[int] | None,
    likelihood: str,
    columns: Sequence[str],
    *,
    missing: bool = False,
) -> Resident | Sparse:
    """A validated matrix as a source.

    Args:
        X: (N, F), a dense array or scipy CSR.
        shape: What a row is read as, such as (1, 8, 8); a row of a table if None.
        likelihood: Its name; among the supports that the values allow, one that it covers is taken.
        columns: Names of the F columns, or empty.
        missing: Whether elements of a dense matrix may be missing (NaN).

    Raises:
        DataError: A value is too large for float32.
        OptionError: F numbers do not make an image of that shape.
    """
    datum = datum_shape(shape, X.shape[1])
    named = tuple(Column(str(name)) for name in columns)
    if scipy.sparse.issparse(X) and shape is None:
        return _sparse(X, likelihood, named)
    x = _in_float32(X.toarray() if scipy.sparse.issparse(X) else X)
    gaps = check_present(x, missing, "X")
    x = x.reshape(len(x), *datum)
    kind = "table" if shape is None else "image"
    whole = torch.nan_to_num(x) if gaps else x
    support = _support(whole, form_of(whole, kind, None).support, likelihood)
    columns_of_table = named if shape is None else ()
    spec = DataSpec(kind, datum, support, len(x), columns=columns_of_table, missing=bool(gaps))
    return Resident(x, spec, notes=gaps)


def _sparse(X: Any, likelihood: str, columns: tuple[Column, ...]) -> Resident | Sparse:
    entries = _in_float32(X.data)
    check_finite(entries, "X")
    matrix = scipy.sparse.csr_matrix((entries.numpy(), X.indices, X.indptr), shape=X.shape)
    natural = "count" if _lies_in(entries, "count") else "real"
    support = _support(entries, natural, likelihood)
    kind = "counts" if support == "count" else "table"
    spec = DataSpec(kind, (X.shape[1],), support, X.shape[0], columns=columns)
    if math.prod(X.shape) * 4 > DENSE_BYTES:
        return Sparse(matrix, spec)
    return Resident(torch.from_numpy(matrix.toarray()), spec)


def _in_float32(values: Any) -> Tensor:
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))


def _support(x: Tensor, natural: str, likelihood: str) -> str:
    """The natural support, or one that the named likelihood covers if the values lie in it."""
    if likelihood == "auto":
        return natural
    factory: Any = LIKELIHOODS[likelihood].factory
    covered: tuple[str, ...] = factory.supports
    if natural in covered:
        return natural
    return next((word for word in covered if word in SUPPORTS and _lies_in(x, word)), natural)


def _lies_in(x: Tensor, support: str) -> bool:
    wrong = outside(x, support)
    return wrong is None or not bool(wrong.any())


def datum_shape(shape: Sequence[int] | None, features: int) -> tuple[int, ...]:
    """The event shape D of a row of `features` numbers; (H, W) is read as (1, H, W).

    Raises:
        OptionError: They do not make an image of that shape.
    """
    if shape is None:
        return (features,)
    datum = tuple(int(n) for n in shape)
    if len(datum) == 2:
        datum = (1, *datum)
    if len(datum) != 3 or min(datum) < 1 or math.prod(datum) != features:
        raise OptionError(
            f"shape={tuple(shape)} does not fit rows of {features} numbers: give (channels, "
            f"height, width) with a product of {features}, or None for a table."
        )
    return datum


def parts(X: Any, shape: Sequence[int], size: int = 1024) -> Iterator[Tensor]:
    """A validated matrix (N, F), dense or CSR, as dense tensors (n, *shape) of its precision."""
    for first in range(0, X.shape[0], size):
        part = X[first : first + size]
        dense = part.toarray() if scipy.sparse.issparse(part) else np.array(part, order="C")
        yield torch.from_numpy(dense).reshape(-1, *shape)


def check_covered(X: Any, supports: Sequence[str]) -> None:
    """Refuse rows (N, F) that a likelihood gives no density.

    Shades between 0 and 1 pass for a likelihood of zeros and ones, as is usual for pictures.

    Args:
        X: A validated matrix.
        supports: Of the likelihood.

    Raises:
        DataError: A value is outside of them.
    """
    if "count" not in supports and ("real" in supports or not {"binary", "unit"} & {*supports}):
        return
    word, held = ("count", "whole numbers from 0 up") if "count" in supports else ("unit", "[0, 1]")
    for part in parts(X, (X.shape[1],)):
        wrong = outside(torch.nan_to_num(part), word)
        if wrong is not None and bool(wrong.any()):
            raise DataError(
                f"X has the value {float(part[wrong][0]):g}, and this model's likelihood has a "
                f"density on {held} only: scale X as it was in fit, or fit with "
                "likelihood='gaussian'."
            )
