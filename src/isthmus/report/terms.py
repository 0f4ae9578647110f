"""Counts: the columns, such as words, that grow and fall along each dimension of the code."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from isthmus.report.columns import column_names
from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.films import Film, films
from isthmus.report.words import fixed

WORDS = 6


def terms(subject: Subject) -> Figure | None:
    """Top words of each dimension, where the data are counts."""
    found = films(subject, "traversals", "traversal_rows")
    if not found or not subject.counts:
        return None
    names = column_names(subject, int(np.prod(found[0].strips.shape[2:])))
    return Figure(
        "words",
        "Top words of each dimension",
        "For each dimension of the code, the columns whose expected counts grow most (↑) and fall "
        "most (↓) from its lower to its upper hundredth, by the difference over the square root of "
        "the sum; dimensions come in the order of what they tell.",
        _say(found, names),
        "medium",
        tuple(
            Panel((_list(film, names),), film.label, look=subject.looks[film.label])
            for film in found
        ),
    )


def change(strip: Floats) -> Floats:
    """(T, *D) -> (size,) of each column, (last - first) / sqrt(last + first).

    A linear method may expect less than nothing, which counts as nothing.
    """
    first, last = (expected(strip[i]) for i in (0, -1))
    total = np.maximum(first + last, 1e-12)
    result: Floats = (last - first) / np.sqrt(total)
    return result


def expected(data: Floats) -> Floats:
    """(*D) -> (size,) expected counts."""
    result: Floats = np.maximum(np.nan_to_num(data.ravel().astype(float)), 0.0)
    return result


def _list(film: Film, names: list[str]) -> Markup:
    rows = []
    for strip, title, note in zip(film.strips, film.titles, film.notes, strict=True):
        by = change(strip)
        order = np.argsort(-by, kind="stable")
        up = ", ".join(names[j] for j in order[:WORDS] if by[j] > 0)
        down = ", ".join(names[j] for j in order[::-1][:WORDS] if by[j] < 0)
        fall = Markup('<dd class="fall"><b>↓</b> {}</dd>').format(down) if down else Markup()
        rows.append(
            Markup("<div><dt>{} <small>{}</small></dt><dd><b>↑</b> {}</dd>{}</div>").format(
                title, note, up or "none", fall
            )
        )
    return Markup('<dl class="terms">{}</dl>').format(Markup("").join(rows))


def _say(found: list[Film], names: list[str]) -> str:
    tops = [(film, k, change(strip)) for film in found for k, strip in enumerate(film.strips)]
    film, k, by = max(tops, key=lambda top: float(np.abs(top[2]).max()))
    j = int(np.abs(by).argmax())
    first, last = (float(expected(film.strips[k, i])[j]) for i in (0, -1))
    return (
        f"The strongest change is of “{names[j]}” along {film.label}'s {film.titles[k]}: from "
        f"{fixed(first, 2)} to {fixed(last, 2)} expected in a datum."
    )
