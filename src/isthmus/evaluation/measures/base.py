"""What a measure is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from isthmus.errors import DataError, UnsupportedError
from isthmus.evaluation.columns import Column
from isthmus.evaluation.measures.tables import ORDER
from isthmus.evaluation.subject import Answers, Subject
from isthmus.registry import Entry, Registry, did_you_mean

MEASURES = Registry("measure")

# What a measure costs at 10,000 data and 16 dimensions on one core.
INSTANT, SECONDS, MINUTES = "instant", "seconds", "minutes"

Measure = Callable[[Subject], Answers]


def measure(
    name: str, *columns: Column, table: str, cost: str = INSTANT
) -> Callable[[Measure], Measure]:
    """Decorator: file a measure with the columns that it fills.

    A measure that does not apply raises `UnsupportedError`, whose text then stands in the place of
    its figures.

    Args:
        name: By which it is asked for.
        columns: In the table's order.
        table: Heading of the table that they belong to.
        cost: INSTANT, SECONDS or MINUTES.

    Raises:
        ValueError: The name is taken.
    """
    if name in MEASURES:
        raise ValueError(f"There are two measures {name!r}.")
    return MEASURES.register(name, columns=columns, table=table, cost=cost)


def ask(
    subject: Subject, names: Iterable[str], say: Callable[[str], None] = lambda _: None
) -> Answers:
    """The figures of the measures `names`; one that does not apply says why not.

    Args:
        subject: Who is asked.
        names: Of measures.
        say: Hears each name first.
    """
    answers = Answers()
    for name in names:
        say(name)
        entry = MEASURES[name]
        try:
            answers.take(entry.factory(subject))
        except (UnsupportedError, DataError) as reason:
            for column in entry.about["columns"]:
                answers.why_missing[column.key] = str(reason)
    return answers


def in_order() -> list[Entry]:
    """All measures, by the table that they belong to."""
    return sorted(MEASURES, key=lambda entry: ORDER.index(entry.about["table"]))


def columns(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns that measures fill, in order."""
    return tuple(column for name in names for column in MEASURES[name].about["columns"])


def column(key: str) -> Column:
    """The column of a figure.

    Raises:
        UnknownNameError: No measure fills one of that name.
    """
    by_key = {found.key: found for found in columns(entry.name for entry in MEASURES)}
    if key not in by_key:
        raise did_you_mean("figure", key, by_key)
    return by_key[key]
