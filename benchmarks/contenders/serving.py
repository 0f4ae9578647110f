"""The other end of `measuring.Contender`; it imports nothing that a peer's environment may lack."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


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
