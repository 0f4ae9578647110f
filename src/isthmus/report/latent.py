"""What the codes look like: maps, bits by dimension, and the training's course."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from isthmus.report import svg
from isthmus.report.figure import Figure, Floats, Panel, Subject, evenly
from isthmus.report.words import counted, fixed, listed, percent

MOST_POINTS = 800
MOST_NAMED = 20
CLASS_TONES = 10
MOST_DIMENSIONS = 64
USED_BITS = 0.1
MAP: svg.Point = (260.0, 260.0)
CURVE: svg.Point = (350.0, 210.0)
SETTLING = 0.1  # The first share of training, whose losses would flatten all that follows.


def latent_maps(subject: Subject) -> Figure | None:
    """Held-out codes on their two widest axes."""
    found = [
        (label, c) for label, c in subject.by_label("codes") if c.ndim == 2 and c.shape[1] == 2
    ]
    if not found:
        return None
    labels = subject.array("labels")
    panels: list[Panel] = []
    shares: dict[str, float] = {}
    for label, codes in found:
        pick = evenly(len(codes), MOST_POINTS)
        known = labels[pick] if labels is not None and len(labels) == len(codes) else None
        share = neighbour_agreement(codes[pick], known) if known is not None else None
        if share is not None:
            shares[label] = share
        drawn = _draw_map(codes[pick], known, subject, label, f"map{len(panels)}")
        note = "" if share is None else f"{percent(share)} alike"
        panels.append(Panel((drawn,), label, note, subject.looks[label]))
    tail = ", coloured and named by its label" if shares else ""
    return Figure(
        "latent-map",
        "Where the data lie in the code",
        "Each dot is the code of one held-out datum on the two widest axes of that model's "
        f"codes{tail}; "
        "the axes of two models have nothing to do with each other.",
        say_maps(shares, dict(found)),
        "small",
        tuple(panels),
        _class_legend(subject) if shares else (),
    )


def neighbour_agreement(codes: Floats, labels: Floats) -> float:
    """Share of codes whose nearest neighbour on the map has their own label."""
    x = codes.astype(float)
    if len(x) < 2:
        return 1.0
    distance = ((x[:, None, :] - x[None, :, :]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return float((labels[distance.argmin(1)] == labels).mean())


def say_maps(shares: dict[str, float], codes: dict[str, Floats]) -> str:
    """What the maps show here."""
    if shares:
        best = max(shares, key=lambda label: shares[label])
        worst = min(shares, key=lambda label: shares[label])
        said = (
            f"On {best}'s map the nearest neighbour has the same label for "
            f"{percent(shares[best])} of the data"
        )
        return (
            f"{said}, on {worst}'s for {percent(shares[worst])}." if best != worst else f"{said}."
        )
    label, values = next(iter(codes.items()))
    first, second = np.nanstd(values.astype(float), axis=0)
    share = float(second / first) if first > 0 else 0.0
    return f"The second axis of {label}'s codes is {percent(share)} as wide as the first."


def _draw_map(
    codes: Floats, labels: Floats | None, subject: Subject, label: str, name: str
) -> Markup:
    codes = np.nan_to_num(codes.astype(float))
    low, high = np.quantile(codes, 0.005, axis=0), np.quantile(codes, 0.995, axis=0)
    half = max(float((high - low).max()) * 0.56, 1e-9)
    x0, y0 = (low + high) / 2
    plot = svg.Frame(
        *MAP,
        svg.Scale(x0 - half, x0 + half, 1, MAP[0] - 1),
        svg.Scale(y0 - half, y0 + half, MAP[1] - 1, 1),
    )
    points = np.array([plot.at(*c) for c in codes])
    groups = (
        {-1: points} if labels is None else {int(k): points[labels == k] for k in np.unique(labels)}
    )
    own = subject.looks[label].tone
    dots = [svg.cloud(p, f"cloud {_tone(k, own)}") for k, p in groups.items()]
    named = len(groups) <= MOST_NAMED and labels is not None
    words = []
    for k, p in groups.items() if named else ():
        x, y = np.median(p, axis=0)
        words.append(
            svg.text(x, y + 4, _class_name(subject, k), f"class {_tone(k, own)}", "middle")
        )
    border = Markup('<rect x="0.5" y="0.5" width="{}" height="{}" class="border"/>').format(
        svg.number(MAP[0] - 1), svg.number(MAP[1] - 1)
    )
    alt = f"{label}: map of {counted(len(codes), 'held-out code')} in two dimensions"
    return svg.picture(MAP, alt, [border, svg.clip(name, plot, [*dots, *words])])


def _tone(k: int, own: str) -> str:
    return own if k < 0 else f"k{k % CLASS_TONES}"


def _class_name(subject: Subject, k: int) -> str:
    classes = subject.comparison.spec.classes
    return classes[k] if 0 <= k < len(classes) else str(k)


def _class_legend(subject: Subject) -> tuple[tuple[Markup, str], ...]:
    labels = subject.array("labels")
    present = [] if labels is None else sorted({int(k) for k in labels})
    if len(present) > MOST_NAMED:
        return ()
    return tuple(
        (
            Markup('<span class="dot-swatch k{}"></span>').format(k % CLASS_TONES),
            _class_name(subject, k),
        )
        for k in present
    )


def information(subject: Subject) -> Figure | None:
    """Bits that each latent dimension carries."""
    found = [
        (label, np.sort(np.nan_to_num(r.ravel()))[::-1]) for label, r in subject.by_label("rates")
    ]
    if not found:
        return None
    top = max(float(r.max()) for _, r in found)
    panels: list[Panel] = []
    for label, rates in found:
        used = int((rates > USED_BITS).sum())
        drawn = _draw_bars(
            rates[:MOST_DIMENSIONS], max(top, 1e-6), subject.looks[label].tone, label
        )
        panels.append(Panel((drawn,), label, f"{used} of {len(rates)} used", subject.looks[label]))
    cut = (
        f" The first {MOST_DIMENSIONS} are drawn."
        if max(len(r) for _, r in found) > MOST_DIMENSIONS
        else ""
    )
    return Figure(
        "information",
        "Information by dimension",
        "Each bar is one latent dimension, largest first, as high as the bits that it carries "
        f"about a datum.{cut}",
        say_information(dict(found)),
        "medium",
        tuple(panels),
    )


def say_information(rates: dict[str, Floats]) -> str:
    """What the bars show here."""
    said = []
    for label, values in rates.items():
        total = float(values.sum())
        used = int((values > USED_BITS).sum())
        said.append(f"{label} {used} of {len(values)} ({fixed(total, 1)} bits in all)")
    return f"Above {USED_BITS:g} bits lie, by model: {'; '.join(said)}."


def _draw_bars(rates: Floats, top: float, tone: str, label: str) -> Markup:
    n = len(rates)
    plot = svg.frame(CURVE, (0.5, n + 0.5), (0.0, top * 1.04), left=36)
    step = plot.x(2) - plot.x(1) if n > 1 else plot.x.end - plot.x.start
    width = min(step * 0.78, 26.0)
    ticks = [t for t in svg.round_ticks(1, n, 5) if t >= 1 and t == int(t)]
    parts: list[Markup] = [plot.axes("latent dimension", "bits", ticks, plot.y.ticks())]
    for i, bits in enumerate(rates, 1):
        y = plot.y(max(float(bits), 0.0))
        tip = f"dimension {i}: {fixed(float(bits), 2)} bits"
        parts.append(
            svg.rectangle(plot.x(i) - width / 2, y, width, plot.y.start - y, f"bar {tone}", tip)
        )
    return svg.picture(CURVE, f"{label}: bits by latent dimension", parts)


def training_curves(subject: Subject) -> Figure | None:
    """Losses over the steps of training."""
    found = [
        (label, h) for label, h in subject.by_label("history") if h.ndim == 2 and h.shape[1] == 3
    ]
    if not found:
        return None
    panels: list[Panel] = []
    kept = {r.label: r.kept_step for r in subject.main}
    for label, history in found:
        drawn = _draw_curve(
            history.astype(float),
            subject.looks[label].tone,
            label,
            f"curve{len(panels)}",
            kept.get(label),
        )
        panels.append(Panel((drawn,), label, look=subject.looks[label]))
    thin = Markup('<span class="line-swatch thin"></span>')
    thick = Markup('<span class="line-swatch"></span>')
    return Figure(
        "training",
        "How the training went",
        "The thin line is the loss on the training data, the thick one on held-out data, in nats "
        "a datum; the ring "
        "marks the weights that were kept. Losses of different objectives differ in meaning, so "
        "each model has "
        "its own scale, and the first steps are cut off.",
        say_training(dict(found)),
        "medium",
        tuple(panels),
        ((thin, "training"), (thick, "held-out")),
    )


def say_training(histories: dict[str, Floats]) -> str:
    """What the curves show here: which were still falling, which rose again and by how much."""
    falling, rose = [], []
    for label, history in histories.items():
        best = best_step(history)
        if best is None:
            continue
        i, held = best
        rise = float(held[-1, 2] - history[i, 2])
        if history[i, 0] >= 0.95 * held[-1, 0] or round(rise, 2) == 0:
            falling.append(label)
        else:
            rose.append(
                f"{label}'s at step {history[i, 0]:,.0f}, and rose by {fixed(rise, 2)} nats after"
            )
    said = []
    if falling:
        said.append(f"The held-out loss was lowest at or near the end for {listed(falling)}.")
    if rose:
        it = "It" if said else "The held-out loss"
        said.append(f"{it} was lowest before the end for: {'; '.join(rose)}.")
    return " ".join(said) or "The held-out loss was not measured."


def best_step(history: Floats) -> tuple[int, Floats] | None:
    """The row of the lowest held-out loss, and all rows with one; None without any."""
    rows = np.flatnonzero(np.isfinite(history[:, 2]))
    if not len(rows):
        return None
    return int(rows[history[rows, 2].argmin()]), history[rows]


def _kept_row(history: Floats, step: float | None) -> Floats | None:
    """The row of the weights that were kept: of that step, else of the lowest held-out loss."""
    rows = np.flatnonzero((history[:, 0] == step) & np.isfinite(history[:, 2]))
    if len(rows):
        return np.asarray(history[rows[-1]])
    best = best_step(history)
    return None if best is None else np.asarray(history[best[0]])


def _draw_curve(
    history: Floats, tone: str, label: str, name: str, kept: float | None = None
) -> Markup:
    steps = history[:, 0]
    settled = steps >= steps.min() + SETTLING * (steps.max() - steps.min())
    shown = history[settled][:, 1:]
    row = _kept_row(history, kept)
    # The ring is shown even where it lies among the first steps.
    finite = np.append(shown[np.isfinite(shown)], [] if row is None else row[2])
    if not len(finite):
        finite = np.array([0.0, 1.0])
    room = 0.06 * (finite.max() - finite.min()) or 1.0
    limits = (float(finite.min() - room), float(finite.max() + room))
    plot = svg.frame(CURVE, (float(steps.min()), float(steps.max())), limits, left=46)
    lines = []
    for column, look in ((1, f"line hair {tone}"), (2, f"line {tone}")):
        rows = np.flatnonzero(np.isfinite(history[:, column]))
        rows = rows[evenly(len(rows), 300)] if len(rows) else rows
        if len(rows):
            lines.append(svg.polyline([plot.at(steps[i], history[i, column]) for i in rows], look))
    parts: list[Markup] = [
        plot.axes("step", "loss, nats", plot.x.ticks(4), plot.y.ticks(4)),
        svg.clip(name, plot, lines),
    ]
    if row is not None:
        tip = f"step {row[0]:,.0f}: held-out loss {fixed(float(row[2]), 2)} nats"
        parts.append(svg.marker(*plot.at(row[0], row[2]), "circle", f"ring {tone}", tip))
    return svg.picture(CURVE, f"{label}: training and held-out loss by step", parts)
