"""What commands say: results on standard output, notes and progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

import click

PLAIN_SECONDS = 5.0

T = TypeVar("T", bound=Sized)


def note(text: str) -> None:
    """A line on what was handled."""
    click.echo(f"note: {text.rstrip('.')}.", err=True)


def wrote(path: object, what: str) -> None:
    """Say what was written, and where."""
    click.echo(f"Wrote {path}: {what}.")


def with_progress(parts: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The same parts, with a bar of how many of `total` rows they have brought so far.

    Where standard error is no terminal, a line appears every few seconds instead.
    """
    if sys.stderr.isatty():
        yield from _with_bar(parts, total, title)
        return
    done, said = 0, time.monotonic()
    for part in parts:
        yield part
        done += len(part)
        if time.monotonic() - said >= PLAIN_SECONDS:
            said = time.monotonic()
            click.echo(f"{title}: {done:,} of {total:,}", err=True)


def _with_bar(parts: Iterable[T], total: int, title: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        for part in parts:
            yield part
            bar.advance(task, len(part))
