"""Codes that are maps: each channel of a few data as a grey picture, and its statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup

from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.films import LARGEST_SIDE, NUMBERS, film_row
from isthmus.report.pictures import img, opaque, sheet, shrink
from isthmus.report.words import fixed, percent

# Columns of `channels/LABEL`.
MEAN, STD, LOWEST, HIGHEST, SHARE, BITS = range(6)
HEADINGS = ("mean", "std", "min", "max", "share", "bits")
# Rows of the table of one model, at most.
MOST_ROWS = 32
# From this many deviations on, the mean of all codes is worth taking off.
OFF_CENTRE = 0.05
# Below this share of an even one, a channel hardly varies.
NARROW = 0.01


@final
@dataclass(frozen=True)
class Channels:
    """One model's code as a map.

    Args:
        label: The model.
        table: (Z, 6) by channel: mean, standard deviation, ends, share of variance, bits.
        scale: (2,) mean and standard deviation of all numbers.
        maps: (n, K, h, w) of a few data, K channels of them.
        rows: (K,) which channels these are.
    """

    label: str
    table: Floats
    scale: Floats
    maps: Floats
    rows: Floats


def channels(subject: Subject) -> Figure | None:
    """The channels of every model whose code is a map."""
    found = _all_channels(subject)
    if not found or not subject.images:
        return None
    return Figure(
        "channels",
        "The code as a map",
        "Each row is one channel of the code of the held-out images on top, black at its lowest "
        "and white at its highest value among those shown, the channels that vary most first. The "
        "table is of all held-out data and all cells: shares are of the variance, bits those of "
        "the whole channel. A channel of hardly any variance is not used; one that alone has most "
        "of it makes it hard to bring all to one scale.",
        " ".join(say_channels(each) for each in found),
        "medium",
        tuple(_panel(subject, each, len(found)) for each in found),
    )


def _all_channels(subject: Subject) -> list[Channels]:
    found = []
    for label, table in subject.by_label("channels"):
        others = (
            subject.array(f"{kind}/{label}")
            for kind in ("channel_scale", "channel_pictures", "channel_rows")
        )
        scale, maps, rows = others
        if scale is not None and maps is not None and rows is not None:
            found.append(Channels(label, table, scale, maps, rows))
    return found


def say_channels(each: Channels) -> str:
    """What the scale of the codes is, and which channels have it."""
    mean, deviation = (float(value) for value in each.scale)
    if not deviation > 0:
        return f"{each.label}'s codes are all equal."
    off = f"less {fixed(mean, 3)} and times" if abs(mean) > OFF_CENTRE * deviation else "times"
    said = (
        f"{each.label}'s codes have a standard deviation of {fixed(deviation, 3)}: {off} "
        f"{fixed(1.0 / deviation, 4)} they have unit variance."
    )
    shares = each.table[:, SHARE]
    if len(shares) < 2:
        return said
    top = int(shares.argmax())
    said += f" Of their variance channel {top} has most, {percent(float(shares[top]))}"
    idle = int((shares < NARROW / len(shares)).sum())
    if idle:
        vary = "varies" if idle == 1 else "vary"
        return f"{said}; {idle} of {len(shares)} channels hardly {vary}."
    low = int(shares.argmin())
    return f"{said}, and channel {low} least, {percent(float(shares[low]))}."


def _panel(subject: Subject, each: Channels, models: int) -> Panel:
    maps = shrink(each.maps, LARGEST_SIDE)
    size = maps.shape[0] * maps.shape[2] * maps.shape[3]
    rows = []
    originals = subject.array("originals")
    if originals is not None and len(originals) >= len(maps):
        data = shrink(originals[: len(maps)], LARGEST_SIDE)
        # Cells as large as the pixels that they stand for, so that columns of pictures meet.
        factor = max(1, data.shape[2] // maps.shape[2])
        maps = maps.repeat(factor, axis=2).repeat(factor, axis=3)
        picture = img(sheet(opaque(data), len(data)), "held-out images", max(data.shape[2:]))
        rows.append(film_row("data", "", picture))
    for k, channel in list(enumerate(each.rows))[: max(1, NUMBERS // (size * models))]:
        grey = _grey(maps[:, k])
        share = percent(float(each.table[channel, SHARE]))
        alt = f"{each.label}: channel {channel} of {len(grey)} codes"
        picture = img(sheet(opaque(grey), len(grey)), alt, max(grey.shape[2:]))
        rows.append(film_row(f"z{channel}", share, picture))
    rows.append(_table(each))
    shape = " × ".join(str(n) for n in (len(each.table), *each.maps.shape[2:]))
    return Panel(tuple(rows), each.label, shape, subject.looks[each.label])


def _grey(maps: Floats) -> Floats:
    """(n, h, w) as pictures (n, 1, h, w) from 0 at the lowest number to 1 at the highest."""
    low, high = float(maps.min()), float(maps.max())
    grey: Floats = ((maps - low) / max(high - low, 1e-12))[:, None]
    return grey


def _table(each: Channels) -> Markup:
    """The statistics of the widest channels."""
    shown = np.argsort(-each.table[:, SHARE], kind="stable")[:MOST_ROWS]
    known = [c for c in range(len(HEADINGS)) if np.isfinite(each.table[:, c]).all()]
    cell = Markup("<td>{}</td>")
    rows = []
    for z in shown:
        cells = [cell.format(_number(float(each.table[z, c]), c)) for c in known]
        rows.append(
            Markup('<tr><th scope="row" class="model">z{}</th>{}</tr>').format(
                int(z), Markup("").join(cells)
            )
        )
    names = Markup("").join(
        Markup('<th scope="col">{}</th>').format(HEADINGS[column]) for column in known
    )
    return Markup(
        '<div class="scroller" role="region" aria-label="{}: channels of the code" tabindex="0">'
        '<table><thead><tr><th scope="col" class="model">z</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(each.label, names, Markup("").join(rows))


def _number(value: float, column: int) -> str:
    if column == SHARE:
        return percent(value)
    return fixed(value, 1 if column == BITS else 2)
