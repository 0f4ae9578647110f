"""Progress on the terminal: a bar where there is one, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, final

from isthmus.training.events import Listener, Record

PLAIN_SECONDS = 5.0


@final
class ProgressBar(Listener):
    """A rich progress bar on standard error; a line every few seconds where that is no terminal.

    Args:
        title: What is being trained.
    """

    def __init__(self, title: str = "training") -> None:
        self._title = title
        self._bar: Any = None
        self._task: Any = None
        self._held_out = ""
        self._said = time.monotonic()
        self._drawn = sys.stderr.isatty()

    def _open(self) -> None:
        # Not before there is something to show: a run that fails earlier leaves the terminal alone.
        if self._bar is not None:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=1.0, note="")

    def hear(self, record: Record) -> None:
        if "validation/loss" in record:
            self._held_out = f"held-out loss {record['validation/loss']:.4g} nats"
        note = f"epoch {record['epoch']:.1f}  {self._held_out}"
        if self._drawn:
            self._open()
            self._bar.update(self._task, completed=record["progress"], note=note)
        elif time.monotonic() - self._said >= PLAIN_SECONDS:
            self._said = time.monotonic()
            line = f"{self._title}: {100 * record['progress']:.0f}%  {note}"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
