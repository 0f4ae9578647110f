"""What `isthmus outliers` says when all data are scored: how many, and the most unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np

from isthmus.cli.running import data_layout
from isthmus.data import Batch, DataSpec
from isthmus.metrics import auc
from isthmus.outliers import Floats
from isthmus.screening import Screen, Verdicts

SHOWN = 5
BLAMED = 3


@final
class Tally:
    """What is kept of data that are scored chunk by chunk.

    Args:
        screen: Fitted.
        spec: Of the run's data.
        classes: Of the labels; empty where there are none.
    """

    def __init__(self, screen: Screen, spec: DataSpec, classes: Sequence[str] = ()) -> None:
        self._screen, self._spec, self._classes = screen, spec, classes
        self._total = self._outliers = 0
        self._oddest: list[tuple[float, int, float, Batch]] = []
        self._scores: list[Floats] = []
        self._labels: list[np.ndarray] = []

    def add(self, batch: Batch, found: Verdicts) -> None:
        """Take in the next chunk and what was said of it."""
        for i in np.argsort(found.scores, kind="stable")[:SHOWN].tolist():
            told = None if batch.condition is None else batch.condition[i : i + 1].clone()
            datum = Batch(batch.x[i : i + 1].clone(), condition=told)
            entry = (float(found.scores[i]), self._total + i, float(found.tails[i]), datum)
            self._oddest.append(entry)
        self._oddest = sorted(self._oddest, key=lambda entry: entry[:2])[:SHOWN]
        self._total += len(batch)
        self._outliers += int(found.outliers.sum())
        if batch.labels is not None and len(self._classes) == 2:
            self._scores.append(found.scores)
            self._labels.append(batch.labels.cpu().numpy())

    def lines(self) -> Iterator[str]:
        """The findings in words."""
        screen, held_out = self._screen, len(self._screen.held_out)
        yield (
            f"{self._outliers:,} of {self._total:,} are outliers at a share of {screen.share:g}, "
            f"judged by {held_out:,} held-out data; of usual data about "
            f"{screen.expected * self._total:,.0f} would be."
        )
        yield from self._of_labels()
        yield "The most unusual, numbered from 0:"
        for score, number, tail, datum in self._oddest:
            yield f"  {number}: score {_number(score)}, tail {tail:.2g}"
            yield from self._blame(datum)

    def _of_labels(self) -> Iterator[str]:
        labels = np.concatenate(self._labels) if self._labels else np.empty(0, int)
        sizes = np.bincount(labels, minlength=2)
        if not sizes.all():
            return
        # Of equally many the second, as 1 of 0 and 1.
        rare = 0 if sizes[0] < sizes[1] else 1
        # Ranks, for a score may be infinite.
        ranks = np.unique(np.concatenate(self._scores), return_inverse=True)[1]
        found = auc(-ranks.astype(float), labels == rare)
        yield (
            f"Area under the ROC curve for the {sizes[rare]:,} of label {self._classes[rare]} "
            f"among {len(labels):,}: {found:.3f}"
        )

    def _blame(self, datum: Batch) -> Iterator[str]:
        """The columns that the model would have expected otherwise, in words."""
        if self._spec.kind == "image" or not self._screen.rebuilds:
            return
        x, expected, off = (values[0] for values in self._screen.blame(datum))
        names = data_layout(self._spec, 1, "data").names
        # Not a number is as far off as can be.
        worst = np.argsort(-np.nan_to_num(off, nan=np.inf), kind="stable")[:BLAMED]
        yield "      " + ", ".join(
            f"{names[i]} {_number(x[i])} (expected {_number(expected[i])})" for i in worst
        )


def _number(value: float) -> str:
    """To three digits, and whole from 100 up."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
