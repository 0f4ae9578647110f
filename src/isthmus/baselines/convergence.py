"""Iterative solvers that run out of iterations say so in a note, not in a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def noted(solve: Callable[[], T], name: str) -> tuple[T, tuple[str, ...]]:
    """The result of `solve()`, and a note if it stopped before it had converged."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        result = solve()
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        return result, (f"{name} stopped at its iteration limit before it had converged.",)
    return result, ()
