"""Where the codes of data lie, against where the prior expects them."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from isthmus.report import svg
from isthmus.report.contours import Relief, draw_contour
from isthmus.report.figure import Figure, Floats, Panel, Subject, evenly
from isthmus.report.words import listed, percent

MAP: svg.Point = (260.0, 260.0)
MOST_POINTS = 800
INNER, OUTER = 0.5, 0.9
NEAR = 0.05  # A share inside the outer contour this near to its own is what the prior expects.


def prior_maps(subject: Subject) -> Figure | None:
    """Draws of q(z), and contours of p(z), on two dimensions of the code."""
    found = subject.by_label("aggregate")
    panels: list[Panel] = []
    inside: dict[str, float] = {}
    for label, codes in found:
        prior, axes = subject.array(f"prior/{label}"), subject.array(f"axes/{label}")
        if prior is None or axes is None:
            continue
        held, expected = np.nan_to_num(codes.astype(float)), np.nan_to_num(prior.astype(float))
        limits = _limits(held, expected)
        relief = Relief.of(expected, limits)
        inside[label] = float((relief.at(held) > relief.level(OUTER)).mean())
        drawn = _draw(held, relief, limits, subject, label, f"prior{len(panels)}", axes)
        note = f"{percent(inside[label])} inside"
        panels.append(Panel((drawn,), label, note, subject.looks[label]))
    if not panels:
        return None
    line = Markup('<span class="line-swatch contour"></span>')
    dot = Markup('<span class="dot-swatch"></span>')
    return Figure(
        "prior",
        "Codes against the prior",
        "Each dot is a code drawn from q(z|x) of a held-out datum, on the two dimensions that tell "
        f"most; the contours hold {percent(INNER)} and {percent(OUTER)} of the prior there. Where "
        "dots leave them, or leave room within, samples are decoded from codes that no datum has.",
        say_inside(inside) + _without(subject, list(inside)),
        "small",
        tuple(panels),
        ((dot, "codes of held-out data"), (line, "prior")),
    )


def say_inside(inside: dict[str, float]) -> str:
    """How many of the codes lie where the prior expects them."""
    said = listed([f"{percent(share)} of {label}'s" for label, share in inside.items()])
    wide = [label for label, share in inside.items() if share < OUTER - NEAR]
    tight = [label for label, share in inside.items() if share > OUTER + NEAR]
    text = f"Of the codes, {said} lie within the prior's {percent(OUTER)} contour"
    verdicts = []
    if wide:
        verdicts.append(f"{listed(wide)} {_put(wide)} data where the prior hardly draws")
    if tight:
        verdicts.append(f"{listed(tight)} {_use(tight)} less room than the prior gives")
    if not verdicts:
        return f"{text}, about what the prior expects."
    return f"{text}: {'; '.join(verdicts)}."


def _without(subject: Subject, shown: list[str]) -> str:
    """Which models are not shown, and why."""
    others = [r.label for r in subject.main if r.label not in shown]
    if not others:
        return ""
    verb = "has" if len(others) == 1 else "have"
    return f" {listed(others)} {verb} no prior over two or more numbers to be held against."


def _put(labels: list[str]) -> str:
    return "puts" if len(labels) == 1 else "put"


def _use(labels: list[str]) -> str:
    return "uses" if len(labels) == 1 else "use"


def _limits(held: Floats, expected: Floats) -> tuple[float, float, float, float]:
    """A square around nearly all of both."""
    both = np.concatenate([held, expected])
    low, high = np.quantile(both, 0.002, axis=0), np.quantile(both, 0.998, axis=0)
    half = max(float((high - low).max()) * 0.56, 1e-9)
    x, y = (low + high) / 2
    return float(x - half), float(x + half), float(y - half), float(y + half)


def _draw(
    held: Floats,
    relief: Relief,
    limits: tuple[float, float, float, float],
    subject: Subject,
    label: str,
    name: str,
    axes: Floats,
) -> Markup:
    x0, x1, y0, y1 = limits
    plot = svg.Frame(*MAP, svg.Scale(x0, x1, 24, MAP[0] - 1), svg.Scale(y0, y1, MAP[1] - 22, 1))
    points = [plot.at(*held[i]) for i in evenly(len(held), MOST_POINTS)]
    tone = subject.looks[label].tone
    marks: list[Markup] = [
        svg.cloud(points, f"cloud thin {tone}"),
        draw_contour(relief, INNER, plot, "contour"),
        draw_contour(relief, OUTER, plot, "contour"),
    ]
    border = svg.rectangle(24, 1, MAP[0] - 25, MAP[1] - 23, "border")
    parts = [border, svg.clip(name, plot, marks)]
    for tick in plot.x.ticks(4):
        parts.append(svg.text(plot.x(tick), MAP[1] - 7, svg.tick_text(tick), "tick", "middle"))
    for tick in plot.y.ticks(4):
        parts.append(svg.text(18, plot.y(tick) + 4, svg.tick_text(tick), "tick", "end"))
    parts.append(svg.text(MAP[0] - 6, MAP[1] - 30, f"z{int(axes[0])} →", "label", "end"))
    parts.append(svg.text(32, 16, f"↑ z{int(axes[1])}", "label"))
    alt = f"{label}: draws of q(z) and contours of the prior over two dimensions of the code"
    return svg.picture(MAP, alt, parts)
