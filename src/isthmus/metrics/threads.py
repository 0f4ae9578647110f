"""One thread for what has thousands of short parallel stretches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: OpenMP and BLAS keep to one thread inside.

    Boosted trees and neighbour searches on a few thousand rows meet at the end of stretches of
    microseconds: a second thread gains little where it has a core, and where other programs have
    it each stretch waits for them (0.6 s became 140 s on two busy cores).
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return function(*args, **kwargs)

    return alone
