"""The held-out data that a model finds least and most unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup

from isthmus.evaluation.subject import OF_THE_PART
from isthmus.report.columns import column_names, flat
from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.films import LARGEST_SIDE, NUMBERS
from isthmus.report.pictures import img, opaque, sheet, shrink
from isthmus.report.words import fixed, short

FEW = {"highest": 4, "lowest": 1}
BLAMED = 3
LONGEST_NAME = 22


@final
@dataclass(frozen=True)
class Extremes:
    """One model's lowest and highest scores.

    Args:
        label: The model.
        scores: (n,) of the held-out data.
        places: (2E,) rows of the lowest, then of the highest.
        numbers: (2E,) which datum each of these is.
        numbered: Of what, in words.
        data: (2E, *D).
        rebuilt: (2E, *D).
        unit: Of the scores.
    """

    label: str
    scores: Floats
    places: Floats
    numbers: Floats
    numbered: str
    data: Floats
    rebuilt: Floats
    unit: str


def outliers(subject: Subject) -> Figure | None:
    """The data with the lowest and the highest scores, with the score."""
    found = _found(subject)
    if not found:
        return None
    images = subject.images
    score = "the score, −ELBO in nats where the model has a density and else the squared error"
    what = (
        "the held-out data of the lowest and of the highest scores, each over its reconstruction"
        if images
        else "the held-out data of the highest scores and, for comparison, of the lowest, with the "
        "columns that were rebuilt worst"
    )
    numbers = f"Numbers are {found[0].numbered}, from 0."
    return Figure(
        "outliers",
        "The most and the least usual data",
        f"For each model, {what}; over them stands {score}. {numbers}",
        _say(found),
        "medium",
        tuple(
            _images(subject, one, len(found)) if images else _rows(subject, one) for one in found
        ),
    )


def _found(subject: Subject) -> list[Extremes]:
    found = []
    for label, data in subject.by_label("extremes"):
        parts = [
            subject.array(f"{kind}/{label}")
            for kind in ("scores", "extreme_places", "extremes_rebuilt", "score_unit")
        ]
        scores, places, rebuilt, unit = parts
        if scores is None or places is None or rebuilt is None or unit is None:
            continue
        numbers = subject.array(f"extreme_numbers/{label}")
        numbers = places if numbers is None else numbers
        of = subject.array(f"extreme_numbered/{label}")
        numbered = OF_THE_PART if of is None else str(of[0])
        found.append(
            Extremes(label, scores, places, numbers, numbered, data, rebuilt, str(unit[0]))
        )
    return found


def _say(found: list[Extremes]) -> str:
    """How far out the furthest lies, and whether models agree on it."""
    tops = [int(one.numbers[len(one.numbers) // 2]) for one in found]
    first = found[0]
    finite = first.scores[np.isfinite(first.scores)]
    said = (
        f"{first.label} gives its most unusual datum {fixed(float(finite.max()), 1)} {first.unit}, "
        f"where half of the data lie below {fixed(float(np.median(finite)), 1)}"
    )
    if len(found) == 1:
        return f"{said}."
    common = max(set(tops), key=lambda place: (tops.count(place), -place))
    n = tops.count(common)
    if n == 1:
        return f"{said}; each model finds another datum the most unusual."
    return (
        f"{said}; {n} of {len(found)} models find the same datum the most unusual, "
        f"number {common:,} {first.numbered}."
    )


def _images(subject: Subject, one: Extremes, models: int) -> Panel:
    half = len(one.places) // 2
    small, again = (shrink(x, LARGEST_SIDE) for x in (one.data, one.rebuilt))
    each = 4 * int(np.prod(small.shape[1:]))
    n = max(1, min(half, NUMBERS // (each * models)))
    rows = []
    for words, start in (("highest", half), ("lowest", 0)):
        picked = range(start, start + n)
        pairs = np.concatenate([small[picked], again[picked]])
        scores = [float(one.scores[int(one.places[i])]) for i in picked]
        picture = img(
            sheet(opaque(pairs), n),
            f"{one.label}: the {n} held-out images of the {words} scores, and beneath them their "
            "reconstructions",
            max(small.shape[2:]),
        )
        heads = Markup("").join(Markup("<span>{}</span>").format(_score(s)) for s in scores)
        rows.append(
            Markup(
                '<div class="film"><span>{}</span><div><div class="scores">{}</div>{}</div></div>'
            ).format(words, heads, picture)
        )
    return Panel(tuple(rows), one.label, one.unit, subject.looks[one.label])


def _rows(subject: Subject, one: Extremes) -> Panel:
    half = len(one.places) // 2
    names = column_names(subject, flat(one.data).shape[1])
    originals = subject.array("originals")
    known = one.data if originals is None else originals
    spread = np.nanstd(flat(known).astype(float), axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    rows = []
    for words, start in (("highest", half), ("lowest", 0)):
        for i in range(start, start + min(half, FEW[words])):
            x, again = flat(one.data)[i].astype(float), flat(one.rebuilt)[i].astype(float)
            off = np.nan_to_num(np.abs(x - again) / spread)
            worst = np.argsort(-off, kind="stable")[:BLAMED]
            blamed = Markup("").join(
                Markup("<li>{} <b>{}</b> <small>rebuilt {}</small></li>").format(
                    short(names[j], LONGEST_NAME), _value(x[j]), _value(again[j])
                )
                for j in worst
            )
            place = int(one.places[i])
            rows.append(
                Markup(
                    '<div class="{}"><dt>{} <small>{}, number {}</small></dt><dd><ul>{}</ul></dd>'
                    "</div>"
                ).format(
                    words,
                    _score(float(one.scores[place])),
                    words,
                    f"{int(one.numbers[i]):,}",
                    blamed,
                )
            )
    body = Markup('<dl class="odd">{}</dl>').format(Markup("").join(rows))
    return Panel((body,), one.label, one.unit, subject.looks[one.label])


def _score(value: float) -> str:
    return fixed(value, 0 if abs(value) >= 100 else 1)


def _value(value: float) -> str:
    if not np.isfinite(value):
        return "missing"
    if abs(value) >= 1000:
        return fixed(value, 0) if abs(value) < 1e6 else f"{value:.3g}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
