"""How many CPU threads a run uses, chosen by measuring.

A small network can be tens of times slower with a second thread on a busy machine, since the
threads wait for each other at every layer; nobody who sees that blames the thread count.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, final

import torch
from torch import nn

from isthmus.training.checkpoints import Position

WARM_UP, TIMED, ROUNDS = 1, 3, 5
# More threads must win by this much: on a shared machine the gain may not last.
MARGIN = 0.8
# Another round begins only within this time: a step of a large network says enough in one.
ENOUGH_SECONDS = 2.0

# So many times slower than one thread, in two readings on end, several threads are given up.
HOPELESS, READINGS = 3.0, 2

_measured: dict[tuple[object, ...], Choice] = {}


class Choice(NamedTuple):
    """What was measured.

    Args:
        threads: The number to train with.
        alone: Seconds of a step with one thread; infinite where it was not measured.
    """

    threads: int
    alone: float = math.inf


def choose_threads(
    step: nn.Module, take: Callable[[nn.Module], None], key: tuple[object, ...]
) -> Choice:
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
        many = len(counts) > 1
        _measured[key] = _fastest(step, take, counts) if many else Choice(counts[0])
    return _measured[key]


def _candidates() -> list[int]:
    """1, 2, 4, ... up to the number of threads that torch would take."""
    most = torch.get_num_threads()
    return sorted({min(1 << i, most) for i in range(most.bit_length() + 1)})


def _fastest(step: nn.Module, take: Callable[[nn.Module], None], counts: list[int]) -> Choice:
    trial = copy.deepcopy(step)
    spent = dict.fromkeys(counts, 0.0)
    start, rounds = time.perf_counter(), 0
    with torch.random.fork_rng(devices=[]):
        while rounds < ROUNDS and (not rounds or time.perf_counter() - start < ENOUGH_SECONDS):
            rounds += 1
            for count in counts:
                with threads(count):
                    spent[count] += _seconds(trial, take)
    chosen = counts[0]
    for count in counts[1:]:
        if spent[count] < MARGIN * spent[chosen]:
            chosen = count
    return Choice(chosen, spent[counts[0]] / (rounds * TIMED))


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


@final
class Pace:
    """Goes on with one thread where several have come to be far slower than one was.

    A machine that was quiet when the count was measured may be busy an hour later.

    Args:
        position: Its `threads` and `notes` are kept up to date.
    """

    def __init__(self, position: Position) -> None:
        self._position = position
        self._slow = 0
        self.restart()

    def judge(self) -> None:
        """Look at the steps since the last `restart`."""
        steps = self._position.step - self._step
        if self._position.threads == 1 or not steps:
            return
        slow = (time.perf_counter() - self._since) / steps > HOPELESS * self._position.alone
        self._slow = self._slow + 1 if slow else 0
        if self._slow == READINGS:
            count, self._position.threads = self._position.threads, 1
            torch.set_num_threads(1)
            self._position.notes += (
                f"From step {self._position.step} on one CPU thread in place of {count}: the "
                "machine has become busy, and together they were slower than one alone.",
            )

    def restart(self) -> None:
        """Count from here: what comes between two readings is no step."""
        self._step = self._position.step
        self._since = time.perf_counter()
