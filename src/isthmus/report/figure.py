"""What a figure of the report is: a heading, how to read it, what it shows here, and its panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.report import svg
from isthmus.report.looks import Look

Floats = NDArray[np.floating]

WIDE: svg.Point = (760.0, 400.0)
NARROW: svg.Point = (350.0, 340.0)


@final
@dataclass(frozen=True)
class Panel:
    """One picture with its caption.

    Args:
        pictures: Markup of one or more pictures.
        caption: What it is of; empty for a figure of one panel.
        note: A figure in words beside the caption.
        look: The model's look, for its swatch.
    """

    pictures: tuple[Markup, ...]
    caption: str = ""
    note: str = ""
    look: Look | None = None


@final
@dataclass(frozen=True)
class Figure:
    """One figure.

    Args:
        id: Its anchor.
        heading: Its heading.
        read: One sentence: how to read it.
        shows: One or two sentences: what it shows on these data.
        layout: "chart" (a wide and a narrow drawing), "small" or "medium" panels, or "strips".
        panels: Its pictures.
        legend: Colours and what they stand for.
    """

    id: str
    heading: str
    read: str
    shows: str
    layout: str
    panels: tuple[Panel, ...]
    legend: tuple[tuple[Markup, str], ...] = ()


@final
@dataclass(frozen=True)
class Subject:
    """What figures are drawn from.

    Args:
        comparison: What was found.
        looks: By label.
        main: The models of the table.
    """

    comparison: Comparison
    looks: dict[str, Look]
    main: list[ModelResult]

    def array(self, key: str) -> Floats | None:
        """An array that is there and not empty."""
        value = self.comparison.arrays.get(key)
        return value if value is not None and value.size else None

    def by_label(self, kind: str) -> list[tuple[str, Floats]]:
        """(label, array) of `kind/LABEL` for every model that has one, in the table's order."""
        found = ((r.label, self.array(f"{kind}/{r.label}")) for r in self.main)
        return [(label, value) for label, value in dict(found).items() if value is not None]

    @property
    def images(self) -> bool:
        """Whether the data are images."""
        return self.comparison.spec.kind == "image" and len(self.comparison.spec.shape) == 3

    @property
    def counts(self) -> bool:
        """Whether the data are bags of counts, such as words."""
        return self.comparison.spec.kind == "counts"


def chart(
    draw: Callable[[svg.Point], list[Markup]], alt: str, height: float | None = None
) -> tuple[Panel, ...]:
    """One chart, drawn for wide and for narrow pages; the style shows the one that fits."""
    wide, narrow = ((width, height or usual) for width, usual in (WIDE, NARROW))
    pictures = (
        svg.picture(wide, alt, draw(wide), "wide"),
        svg.picture(narrow, alt, draw(narrow), "narrow"),
    )
    return (Panel(pictures),)


def padded(values: Floats, share: float = 0.08) -> tuple[float, float]:
    """The values' range with some room around it."""
    low, high = float(values.min()), float(values.max())
    room = share * (high - low) or max(abs(high), 1.0) * share
    return low - room, high + room


def evenly(n: int, most: int) -> NDArray[np.intp]:
    """At most `most` indices out of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))
