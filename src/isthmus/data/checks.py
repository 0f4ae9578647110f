"""What is refused of data, each in one line that says where."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from isthmus.data.splits import MINIMUM_ROWS
from isthmus.errors import DataError

_SUPPORTS = {
    "unit": "between 0 and 1",
    "binary": "0 or 1",
    "count": "whole numbers from 0 up",
}
# Standard deviations of its column's other values, beyond which a value is most likely a mistake.
FAR = 1000
# Share of a column's standard deviation that rounding to 32 bits may cost.
BLURRED = 0.01


def check_rows(n: int, where: str, least: int = MINIMUM_ROWS) -> None:
    """Raise a `DataError` for fewer rows than `least`."""
    if n == 0:
        raise DataError(f"{where} is empty: it has no rows; expected at least {least}.")
    if n < least:
        raise DataError(
            f"{where} has {'one row' if n == 1 else f'{n} rows'}; at least {least} are "
            "needed, one each to train on, to validate and to test."
        )


def column_name(names: Sequence[str], place: Sequence[int]) -> str:
    """How a message calls the element at `place` of a datum."""
    if len(place) == 1:
        return f"column {names[place[0]]!r}" if names else f"column {place[0]}"
    return f"element {tuple(place)}"


def check_finite(
    x: Tensor, where: str, names: Sequence[str] = (), first: int = 0, scope: str = "in all"
) -> None:
    """Raise a `DataError` that names the first NaN or infinity and how many there are.

    Args:
        x: (n, *D), any dtype.
        where: What the data are called.
        names: Of the columns, or empty.
        first: Number of the first row of x in the whole.
        scope: What x is of the whole, as the count of bad values is called.
    """
    # A NaN or infinity survives any sum, so one cheap pass clears nearly all data.
    if not x.is_floating_point() or bool(torch.isfinite(x.sum())):
        return
    bad = torch.nonzero(~torch.isfinite(x))
    if not len(bad):
        return
    row, *place = bad[0].tolist()
    value = float(x[tuple(bad[0].tolist())])
    said = "NaN (or missing)" if value != value else "infinite (or too large for 32 bits)"
    more = f"; {len(bad)} such values {scope}" if len(bad) > 1 else ""
    # Infinities are no gaps: no model reads them.
    or_read = ", or train on gaps as they are (recipe miwae-imputation)" if value != value else ""
    raise DataError(
        f"{where} has a value that is {said} in row {first + row} (from 0), "
        f"{column_name(names, place)}{more}; fill or remove it{or_read}."
    )


def check_present(
    x: Tensor, missing: bool, where: str, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Refuse infinities, and NaN as well unless elements may be `missing`.

    Returns:
        A line on how many are missing; nothing where none is.

    Raises:
        DataError: A value is infinite, or is NaN and may not be.
    """
    absent = torch.isnan(x) if missing and x.is_floating_point() else torch.zeros(())
    if not bool(absent.any()):
        check_finite(x, where, names)
        return ()
    check_finite(torch.where(absent, torch.zeros_like(x), x), where, names)
    share = float(absent.float().mean())
    return (f"{int(absent.sum()):,} values ({share:.1%}) are missing and are read as gaps",)


def extremes_note(x: Tensor, names: Sequence[str] = ()) -> tuple[str, ...]:
    """A line on columns with one value so far from all others that it is most likely a mistake.

    Such a value is nearly all of its column's variance: it decides scaling, R² and likelihood.

    Args:
        x: (N, columns), NaN where one is missing.
        names: Of the columns, or empty.
    """
    found = [(at, row) for at in range(x.shape[1]) if (row := _lone_extreme(x[:, at])) is not None]
    if not found:
        return ()
    at, row = found[0]
    more = f" (and {len(found) - 1} more columns have one)" if len(found) > 1 else ""
    return (
        f"{column_name(names, (at,))} holds {float(x[row, at]):.4g} in row {row} (from 0), over "
        f"{FAR:,} standard deviations away from all others{more}: if it is a mistake, remove it, "
        "for it decides the column's scale and every figure",
    )


def _lone_extreme(column: Tensor) -> int | None:
    about = column.double()
    about = (about - about.nanmedian()).nan_to_num()
    row = int(about.abs().argmax())
    furthest = float(about[row].abs())
    about[row] = 0.0
    spread = float(about.square().mean().sqrt())
    return row if spread > 0 and furthest > FAR * spread else None


def rounding_note(
    x: Tensor, original: Callable[[int], np.ndarray], names: Sequence[str] = ()
) -> tuple[str, ...]:
    """A line on columns whose numbers are so large, and lie so close, that 32 bits blur them.

    Args:
        x: (N, columns) float32, NaN where one is missing.
        original: Number of a column -> its values (N,) before they became float32.
        names: Of the columns, or empty.
    """
    if bool(torch.isfinite(x.sum())):
        low, high = x.aminmax(dim=0)
    else:
        absent = ~torch.isfinite(x)
        low = x.masked_fill(absent, math.inf).amin(0)
        high = x.masked_fill(absent, -math.inf).amax(0)
    largest = torch.maximum(low.abs(), high.abs())
    suspects = torch.nonzero(largest * 2.0**-24 > BLURRED / 10 * (high - low)).flatten().tolist()
    found = [at for at in suspects if _is_blurred(x[:, at].numpy(), original(at))]
    if not found:
        return ()
    at = found[0]
    before, after = (len(np.unique(values)) for values in (original(at), x[:, at].numpy()))
    more = f" (and {len(found) - 1} more columns are like it)" if len(found) > 1 else ""
    return (
        f"{column_name(names, (at,))} holds {before:,} different numbers near {float(high[at]):.4g}"
        f", which are {after:,} as 32-bit floats{more}: subtract its mean before loading",
    )


def _is_blurred(rounded: np.ndarray, original: np.ndarray) -> bool:
    values = np.asarray(original, np.float64)
    values = values[np.isfinite(values)]
    kept = rounded[np.isfinite(rounded)].astype(np.float64)
    if len(values) != len(kept) or not len(values) or values.min() == values.max():
        return False
    return bool(np.abs(values - kept).max() > BLURRED * values.std())


def outside(x: Tensor, support: str) -> Tensor | None:
    """Where x (n, *D) is not in the support, or None for "real"."""
    if support == "unit":
        return (x < 0) | (x > 1)
    if support == "binary":
        return (x != 0) & (x != 1)
    if support == "count":
        return (x < 0) | (x != x.round()) if x.is_floating_point() else x < 0
    return None


def check_support(
    x: Tensor, support: str, where: str, names: Sequence[str] = (), first: int = 0
) -> None:
    """Raise a `DataError` for the first value that the support does not hold.

    Args:
        x: (n, *D) in the units of the spec.
        support: As in `DataSpec`.
        where: What the data are called.
        names: Of the columns, or empty.
        first: Number of the first row of x in the whole.
    """
    wrong = outside(x, support)
    if wrong is None or not bool(wrong.any()):
        return
    bad = torch.nonzero(wrong)
    row, *place = bad[0].tolist()
    raise DataError(
        f"{where} has the value {float(x[tuple(bad[0].tolist())]):g} in row {first + row} (from "
        "0), "
        f"{column_name(names, place)}, but all values were to be {_SUPPORTS[support]}; "
        "correct it, or load the data with support='real'."
    )
