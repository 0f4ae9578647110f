"""Checks of parameters that would otherwise fail deep inside, and their plain values."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from isthmus.errors import OptionError


def check_whole(name: str, value: Any) -> None:
    """Raise an `OptionError` unless `value` is a whole number from 1 up."""
    if not _is_count(value):
        raise OptionError(f"{name}={value!r} cannot be used: give a whole number of at least 1.")


def check_weight(name: str, value: Any) -> None:
    """Raise an `OptionError` unless `value` is a finite number from 0 up."""
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise OptionError(f"{name}={value!r} cannot be used: give a number of at least 0.")


def check_widths(hidden: Any) -> None:
    """Raise an `OptionError` unless `hidden` is None or a sequence of widths."""
    if hidden is None:
        return
    if not isinstance(hidden, (list, tuple, np.ndarray)) or not all(map(_is_count, hidden)):
        raise OptionError(
            f"hidden={hidden!r} cannot be used: give the widths of the layers, such as (256, 128), "
            "or None."
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def plain(value: Any) -> Any:
    """A parameter as settings take it: numbers of numpy, as grids hold them, become Python's."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(plain, value)) if isinstance(value, (list, tuple, np.ndarray)) else value
