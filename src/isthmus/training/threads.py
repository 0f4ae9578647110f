"""How many CPU threads a run uses, chosen by measuring.

A small network can be tens of times slower with a second thread on a busy machine, since the
threads wait for each other at every layer; nobody who sees that blames the thread count.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

WARM_UP, TIMED, ROUNDS = 1, 3, 5
# More threads must win by this much: on a shared machine the gain may not last.
MARGIN = 0.8
# Another round begins only within this time: a step of a large network says enough in one.
ENOUGH_SECONDS = 2.0

_measured: dict[tuple[object, ...], int] = {}


def choose_threads(
    step: nn.Module, take: Callable[[nn.Module], None], key: tuple[object, ...]
) -> int:
    """The number of threads at which `take` runs fastest.

    Counts are measured in turns, several rounds, and judged by all their rounds together: one
    thread barely notices a busy machine, several that wait for each other do, and training will
    meet it too. What was measured once for `key` holds for this process: two equal runs get equal
    counts, hence equal bits.

    Args:
        step: The training step; a copy of it is run, so nothing of it changes.
        take: One forward and backward pass of a step.
        key: What the measurement depends on.
    """
    counts = _candidates()
    key = (*key, counts[-1])
    if key not in _measured:
        _measured[key] = _fastest(step, take, counts) if len(counts) > 1 else counts[0]
    return _measured[key]


def _candidates() -> list[int]:
    """1, 2, 4, ... up to the number of threads that torch would take."""
    most = torch.get_num_threads()
    return sorted({min(1 << i, most) for i in range(most.bit_length() + 1)})


def _fastest(step: nn.Module, take: Callable[[nn.Module], None], counts: list[int]) -> int:
    trial = copy.deepcopy(step)
    spent = dict.fromkeys(counts, 0.0)
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        for played in range(ROUNDS):
            if played and time.perf_counter() - start > ENOUGH_SECONDS:
                break
            for count in counts:
                with threads(count):
                    spent[count] += _seconds(trial, take)
    chosen = counts[0]
    for count in counts[1:]:
        if spent[count] < MARGIN * spent[chosen]:
            chosen = count
    return chosen


def _seconds(step: nn.Module, take: Callable[[nn.Module], None]) -> float:
    for _ in range(WARM_UP):
        take(step)
    start = time.perf_counter()
    for _ in range(TIMED):
        take(step)
    return time.perf_counter() - start


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with `count` CPU threads, and give back the number from before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
