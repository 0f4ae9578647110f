"""Which colour, dash and marker each model has, on every figure of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

from isthmus.evaluation.results import ModelResult
from isthmus.report import svg

COLOURS = 7
GREYS = 6
SHAPES = ("circle", "square", "triangle", "diamond", "down")
BASELINE = "baseline"
# Steps of the signed scale on either side of nothing.
LEVELS = 8


@final
@dataclass(frozen=True)
class Look:
    """How a model is drawn: learned ones in colour and solid, baselines in greys and dashed.

    Args:
        tone: The style's class that sets the colour.
        shape: The marker.
        learned: Whether it is a learned model.
    """

    tone: str
    shape: str
    learned: bool

    @property
    def line(self) -> str:
        """Class of a line."""
        return f"line {self.tone}"

    @property
    def mark(self) -> str:
        """Class of a marker: full for learned models, hollow for baselines."""
        return f"{'mark' if self.learned else 'hollow'} {self.tone}"

    def swatch(self) -> Markup:
        """A short piece of the line with its marker; it only repeats the words beside it."""
        return Markup(
            '<svg class="swatch" viewBox="0 0 30 12" width="30" height="12" '
            'aria-hidden="true">{}{}</svg>'
        ).format(svg.segment(1, 6, 29, 6, self.line), svg.marker(15, 6, self.shape, self.mark))


def choose_looks(results: Sequence[ModelResult]) -> dict[str, Look]:
    """A look by label; colours return after the seventh, with another marker."""
    looks: dict[str, Look] = {}
    learned = baselines = 0
    for result in results:
        if result.label in looks:
            continue
        if result.family == BASELINE:
            i = baselines
            looks[result.label] = Look(f"b{i % GREYS}", SHAPES[i % len(SHAPES)], learned=False)
            baselines += 1
        else:
            i = learned
            shape = SHAPES[(i + i // COLOURS) % len(SHAPES)]
            looks[result.label] = Look(f"s{i % COLOURS}", shape, learned=True)
            learned += 1
    return looks


def signed_tone(level: int) -> str:
    """Class of a cell on the signed scale, from -LEVELS to LEVELS."""
    return f"{'above' if level > 0 else 'below'} l{abs(level)}"


def colour_bar(low: str, high: str) -> Markup:
    """The signed scale as a bar between its ends."""
    return Markup('<span class="scale">{}<span class="colour-bar"></span>{}</span>').format(
        low, high
    )
