"""Film strips: what moves in the data as one moves about in the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from markupsafe import Markup

from isthmus.report import svg
from isthmus.report.columns import Columns, choose_columns
from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.looks import LEVELS, colour_bar, signed_tone
from isthmus.report.pictures import framed, img, opaque, sheet, shrink
from isthmus.report.words import fixed, listed, percent, short

# Numbers over all models' strips of a figure: keeps the file small with any number of models.
NUMBERS = 300_000
# A picture of a strip is drawn small.
LARGEST_SIDE = 48
BLOCKS = 4
# Standard deviations of a column that are drawn in full colour.
FULL = 2.0
NAMES = 96.0
WIDTH = 350.0
ROW = 17.0
TOP = 34.0
LONGEST_NAME = 13
# How the titles of strips of one integer of a code begin.
INTEGER = "code "
# Between data and what was decoded.
APART = 2.5


@final
@dataclass(frozen=True)
class Film:
    """One model's strips.

    Args:
        label: The model.
        strips: (K, T, *D).
        titles: Of each strip.
        notes: Beside each title.
        framed: The ends of each strip are data, and stand apart from what was decoded.
    """

    label: str
    strips: Floats
    titles: tuple[str, ...]
    notes: tuple[str, ...]
    framed: bool = False


def films(subject: Subject, kind: str, rows: str = "") -> list[Film]:
    """The strips of every model that has some, with the titles in `rows/LABEL` or numbers."""
    found = []
    for label, strips in subject.by_label(kind):
        named = subject.array(f"{rows}/{label}") if rows else None
        if named is None:
            names = [(f"pair {i + 1}", "") for i in range(len(strips))]
        else:
            names = [(str(title), str(note)) for title, note in named]
        titles, notes = zip(*names, strict=True)
        found.append(Film(label, strips, titles, notes, framed=not rows))
    return found


def traversals(subject: Subject) -> Figure | None:
    """What each dimension of the code changes, the most telling first."""
    found = films(subject, "traversals", "traversal_rows")
    if not found or subject.counts:
        return None
    seen = [(film.label, *_most_moved(film)) for film in found]
    return Figure(
        "traversals",
        "What each dimension changes",
        "Each strip sets one number of the code, from where the lowest hundredth of held-out codes "
        "lies to where the highest does, and leaves the others at their middle; dimensions come in "
        f"the order of what they tell.{_swaps(found)}{_scale_words(subject)}",
        _say_traversals(seen),
        "medium",
        panels(subject, found),
        scale(subject),
    )


def _swaps(found: Sequence[Film]) -> str:
    """How strips of integers are made, where there are some."""
    if not any(title.startswith(INTEGER) for film in found for title in film.titles):
        return ""
    return (
        " Codes of integers have no number to move: a strip there sets one integer of a usual "
        "datum's code to the values that held-out data take, the most frequent first."
    )


def _most_moved(film: Film) -> tuple[str, float]:
    """The strip whose ends differ most, and its share of all strips' squared differences."""
    ends = (film.strips[:, -1] - film.strips[:, 0]).reshape(len(film.strips), -1)
    moved = np.nan_to_num(np.square(ends.astype(float))).sum(1)
    top = int(moved.argmax())
    return film.titles[top], float(moved[top] / moved.sum()) if moved.sum() > 0 else 0.0


def _say_traversals(seen: Sequence[tuple[str, str, float]]) -> str:
    label, title, share = max(seen, key=lambda s: s[2])
    if len(seen) == 1:
        return f"Of the strips shown, {title} changes most: {percent(share)} of all their change."
    other, name, least = min(seen, key=lambda s: s[2])
    return (
        f"Change is least evenly spread in {label}, where {title} makes {percent(share)} of it, "
        f"and most evenly in {other}, where the strongest, {name}, makes {percent(least)}."
    )


def interpolations(subject: Subject) -> Figure | None:
    """The way from one held-out datum to another."""
    found = films(subject, "interpolations")
    if not found:
        return None
    evenness = {film.label: _largest_step(film) for film in found}
    return Figure(
        "interpolations",
        "On the way from one datum to another",
        "The first and the last of each strip are held-out data, those between were decoded from "
        "codes on the way from the one's to the other's; a good space changes a little at every "
        f"step and stays plausible.{_scale_words(subject)}",
        _say_steps(evenness),
        "medium",
        panels(subject, found),
        scale(subject),
    )


def _largest_step(film: Film) -> float:
    """The largest decoded step as a share of the way, on average over strips."""
    inside = film.strips[:, 1:-1].reshape(len(film.strips), film.strips.shape[1] - 2, -1)
    steps = np.sqrt(np.nan_to_num(np.square(np.diff(inside.astype(float), axis=1))).sum(2))
    way = steps.sum(1)
    return float((steps.max(1) / np.where(way > 0, way, 1.0)).mean())


def _say_steps(largest: dict[str, float]) -> str:
    even = min(largest, key=lambda label: largest[label])
    rough = max(largest, key=lambda label: largest[label])
    said = f"{even}'s largest step makes {percent(largest[even])} of its way on average"
    if even == rough:
        return f"{said}."
    return f"{said}, the evenest, and {rough}'s {percent(largest[rough])}, the most abrupt."


def attributes(subject: Subject) -> Figure | None:
    """Sliders towards a label, or along a column."""
    found = films(subject, "attributes", "attribute_rows")
    if not found:
        return None
    labelled = subject.array("labels") is not None
    how = (
        "a held-out datum of another label, rebuilt and then moved the way from the mean code of "
        "the others to that of the label: all the way at the fifth picture, half as far again at "
        "the last"
        if labelled
        else "the mean code moved along a column's direction, from two standard deviations below "
        "its mean to two above"
    )
    return Figure(
        "attributes",
        "Sliders for labels" if labelled else "Sliders for columns",
        f"Each strip shows {how}; the figure beside it says how well a linear probe reads the "
        f"property off held-out codes.{_scale_words(subject)}",
        _say_sliders(found) + _no_sliders(subject, found),
        "medium",
        panels(subject, found),
        scale(subject),
    )


def _say_sliders(found: Sequence[Film]) -> str:
    scores = [
        (float(note.split()[-1]), note.split()[0], film.label, title)
        for film in found
        for title, note in zip(film.titles, film.notes, strict=True)
    ]
    value, measure, label, title = max(scores)
    low, _, other, name = min(scores)
    said = f"“{title}” lies straightest in {label}'s code ({measure} {fixed(value, 2)})"
    if len(scores) == 1:
        return f"{said}."
    where = "" if other == label else f" in {other}'s"
    return f"{said}, “{name}” least so{where} ({measure} {fixed(low, 2)})."


def _no_sliders(subject: Subject, found: Sequence[Film]) -> str:
    """Which models have no slider."""
    shown = {film.label for film in found}
    others = [r.label for r in subject.main if r.label not in shown]
    return f" The codes of {listed(others)} have no direction to move in." if others else ""


def panels(subject: Subject, found: Sequence[Film]) -> tuple[Panel, ...]:
    """One panel for each model: strips of images, or of columns in colour."""
    if subject.images:
        return tuple(_images(subject, film, len(found)) for film in found)
    originals = subject.array("originals")
    columns = choose_columns(subject, found[0].strips[:, 0] if originals is None else originals)
    centre = 0.0 if originals is None else columns.scaled(originals).mean(0)
    return tuple(_heat(subject, film, columns, centre) for film in found)


def _images(subject: Subject, film: Film, models: int) -> Panel:
    strips = film.strips
    flat = shrink(strips.reshape(-1, *strips.shape[2:]), LARGEST_SIDE)
    each = strips.shape[1] * int(np.prod(flat.shape[1:]))
    small = flat.reshape(*strips.shape[:2], *flat.shape[1:])
    rows = []
    for strip, title, note in list(zip(small, film.titles, film.notes, strict=True))[
        : max(1, NUMBERS // (each * models))
    ]:
        words = f"{title} {note}".strip()
        page = framed(opaque(strip)) if film.framed else sheet(opaque(strip), len(strip))
        picture = img(page, f"{film.label}: strip {words}", max(flat.shape[2:]))
        rows.append(film_row(title, note, picture))
    return Panel(tuple(rows), film.label, look=subject.looks[film.label])


def film_row(title: str, note: str, picture: Markup) -> Markup:
    """A strip with its title on the left."""
    small = Markup("<small>{}</small>").format(note) if note else Markup()
    return Markup('<div class="film"><span>{}{}</span>{}</div>').format(title, small, picture)


def _heat(subject: Subject, film: Film, columns: Columns, centre: Floats | float) -> Panel:
    """Strips of columns: a block for each strip, a row for each column."""
    blocks = min(BLOCKS, len(film.strips))
    height = TOP + ROW * len(columns.names) + 2
    step = (WIDTH - NAMES) / BLOCKS
    parts: list[Markup] = []
    for i, name in enumerate(columns.names):
        y = TOP + ROW * (i + 0.5)
        parts.append(svg.text(NAMES - 8, y + 4, short(name, LONGEST_NAME), "tick", "end"))
    for k in range(blocks):
        left = NAMES + k * step
        title = short(film.titles[k], int((step - 6) / svg.CHARACTER))
        parts.append(svg.text(left, 12, title, "label"))
        parts.append(svg.text(left, 26, film.notes[k], "tiny"))
        shown = columns.scaled(film.strips[k]) - centre
        cells = np.nan_to_num(shown)
        if film.framed:
            cell = (step - 6 - 2 * APART) / len(cells)
            parts.append(_cells(cells[:1], left, cell))
            parts.append(_cells(cells[1:-1], left + cell + APART, cell * (len(cells) - 2)))
            parts.append(_cells(cells[-1:], left + step - 6 - cell, cell))
        else:
            parts.append(_cells(cells, left, step - 6))
    alt = f"{film.label}: {', '.join(film.titles[:blocks])} by column, in colours"
    picture = svg.picture((WIDTH, height), alt, parts)
    return Panel((picture,), film.label, look=subject.looks[film.label])


def _cells(values: Floats, left: float, width: float) -> Markup:
    """Values (T, columns) as coloured cells; equal ones beside each other are one."""
    levels = np.clip(np.rint(values / FULL * LEVELS), -LEVELS, LEVELS).astype(int)
    cell = width / len(levels)
    parts = [svg.rectangle(left, TOP, width, ROW * levels.shape[1], "ground")]
    for i, row in enumerate(levels.T):
        edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
        for start, end in pairwise(edges):
            if level := int(row[start]):
                x, y = left + start * cell, TOP + ROW * i + 0.5
                width = (end - start) * cell
                parts.append(svg.rectangle(x, y, width, ROW - 1, signed_tone(level)))
    return svg.join(parts)


def scale(subject: Subject) -> tuple[tuple[Markup, str], ...]:
    """The colours of strips of columns."""
    if subject.images:
        return ()
    return ((colour_bar(f"−{FULL:g}", f"+{FULL:g}"), scale_unit(subject)),)


def scale_unit(subject: Subject) -> str:
    """What the colours of columns count."""
    if subject.counts:
        return "log(1 + count) from the held-out mean"
    return "standard deviations of the held-out column from its mean"


def _scale_words(subject: Subject) -> str:
    if subject.images:
        return ""
    return " In a block, one row is a column, orange above its mean and blue below."
