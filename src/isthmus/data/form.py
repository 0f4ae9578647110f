"""How the numbers of an array are read: as a table, images or counts, and of which support."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Form(NamedTuple):
    """How the numbers of an array are to be read: the spec's kind, support and unit."""

    kind: str
    support: str
    unit: float


def table_form(x: Tensor, *, whole: bool) -> Form:
    """The form of rows of numbers: binary if all are 0 or 1, else real."""
    return Form("table", "binary" if whole and _is_binary(x) else "real", 1.0)


def counts_form(x: Tensor, *, whole: bool) -> Form:
    """The form of bags of words or the like."""
    return Form("counts", "count", 1.0)


def image_form(x: Tensor, *, whole: bool) -> Form:
    """The form of images, by their type and range.

    Args:
        x: (N, C, H, W), uint8 or float32.
        whole: Whether x is all there is; a part of the data cannot show that all of it is binary.
    """
    if x.dtype == torch.uint8:
        if whole and _is_binary(x):
            return Form("image", "binary", 1.0)
        return Form("image", "binary" if whole and _is_binary(x // 255, x % 255) else "unit", 255.0)
    if whole and _is_binary(x):
        return Form("image", "binary", 1.0)
    low, high = (float(v) for v in x.aminmax())
    return Form("image", "unit" if low >= 0 and high <= 1 else "real", 1.0)


FORMS = {"table": table_form, "image": image_form, "counts": counts_form}


def _is_binary(x: Tensor, rest: Tensor | None = None) -> bool:
    # A look at the start settles nearly every array without a pass over it.
    if bool(((x[:64] != 0) & (x[:64] != 1)).any()):
        return False
    binary = not bool(((x != 0) & (x != 1)).any())
    return binary and (rest is None or not bool(rest.any()))


def form_of(x: Tensor, kind: str, support: str | None, *, whole: bool = True) -> Form:
    """The form of an array of a known kind; `support` overrides what its values suggest."""
    form = FORMS[kind](x, whole=whole)
    return form if support is None else form._replace(support=support)


def counts_note(x: Tensor, form: Form) -> tuple[str, ...]:
    """A line on rows (N, columns) that are read as real numbers and look like bags of counts.

    Whole numbers from 0 up of which most are 0, as words in texts are: a table of ages or of steps
    on a scale is not taken for one.
    """
    if form.support != "real" or _no_counts(x[:64]) or _no_counts(x):
        return ()
    return (
        "all values are whole numbers from 0 up and most are 0: if they count something, read "
        "them as counts (kind='counts', --kind counts)",
    )


def levels_note(x: Tensor, form: Form) -> tuple[str, ...]:
    """A line on images of floats that go from 0 to 255, which are read as any real numbers."""
    if form.support != "real" or not 1 < float(x.max()) <= 255 or float(x.min()) < 0:
        return ()
    if bool((x != x.round()).any()):
        return ()
    return (
        "all values are whole levels from 0 to 255 and are read as any real numbers: save them as "
        "bytes (uint8), or divide by 255, to have them as pictures",
    )


def _no_counts(x: Tensor) -> bool:
    return bool((x < 0).any() or (x != x.round()).any() or (x == 0).float().mean() <= 0.5)
