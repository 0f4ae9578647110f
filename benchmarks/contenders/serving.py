"""The other end of `measuring.Contender`; it imports nothing that a peer's environment may lack."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Seconds by the wall and by the processor, summed over every `with`.

    On a machine that others use too, the processor's seconds are the steadier ones.
    """

    def __init__(self) -> None:
        self.wall = 0.0
        self.cpu = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def serve(measure: Callable[[], dict[str, Any]]) -> None:
    """Warm up once, say so, then measure once for every line read.

    What the measured code prints goes to stderr, so that the answers stay readable.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    measure()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), file=answers, flush=True)


def serve_jobs(run: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do the job that each line read describes in JSON; what is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)
