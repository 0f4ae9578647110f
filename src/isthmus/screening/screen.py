"""Telling odd data from usual ones by a trained run and by data that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Self, final

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.data import Batch, Source
from isthmus.errors import OptionError
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.outliers import SCORES, Floats, OutlierScore, rebuilt
from isthmus.registry import Entry
from isthmus.screening.asked import AskedModel
from isthmus.screening.reading import some_of
from isthmus.screening.yardsticks import AsTheyAre, Yardstick, of_columns, yardstick_of

# Training data that a score looks at, at most, and the numbers in them.
MOST_KNOWN, MOST_NUMBERS = 20_000, 2**24
# Held-out data that say what is usual, at most.
MOST_HELD_OUT = 10_000


@final
class Verdicts(NamedTuple):
    """What a screen says of N data.

    Args:
        scores: (N,) higher for the more usual; −inf where the model could say nothing.
        tails: (N,) the share of held-out data at least as unusual, the datum itself counted in.
        outliers: (N,) whether that is at most the screen's share.
    """

    scores: Floats
    tails: Floats
    outliers: NDArray[np.bool_]

    def table(self) -> Floats:
        """The three side by side (N, 3), outliers as 0 or 1."""
        return np.stack([self.scores, self.tails, self.outliers], 1)


@final
class Blame(NamedTuple):
    """Where data and reconstructions differ.

    Args:
        data: (N, F) in their units.
        expected: (N, F) the reconstructions.
        off: (N, F) |x − x̂|, on the scale that distances are taken on.
    """

    data: Floats
    expected: Floats
    off: Floats


@final
class Screen:
    """Calls data outliers that are more unusual than all but a share of held-out data.

    With n held-out data the tail of a datum is (1 + those at least as unusual) / (1 + n). Of new
    data like the held-out ones at most `share` are called outliers, in expectation.

    Distances are taken between columns standardised by the training data where those are a table,
    between square roots of counts, and between other data as they are.

    Args:
        run: Its model is asked where it lies.
        by: A score of `isthmus.outliers.SCORES`; None takes the ensemble for columns of numbers,
            and neighbours for other data.
        share: Above 0 and below 1.
        samples: Importance samples of log p(x), for the scores that ask for it.
        seed: Of the choice of data where there are more than are looked at.

    Attributes:
        by: The name of the score.
        score: The score.
        held_out: (n,) scores of held-out data, ascending.
        notes: What was left out, one line each.

    Raises:
        UnknownNameError: There is no such score.
        OptionError: The run's model cannot answer it.

    Reference:
        Bates, Candès, Lei, Romano and Sesia, Testing for Outliers with Conformal p-values, arXiv
        2104.08279.
    """

    def __init__(
        self,
        run: Run,
        by: str | None = None,
        *,
        share: float = 0.05,
        samples: int = 100,
        seed: int = 0,
    ) -> None:
        self.by = by or ("ensemble" if of_columns(run.spec) else "neighbours")
        _check(run.model, SCORES[self.by])
        self.score: OutlierScore = SCORES.create(self.by)
        self.share = share
        self.held_out: Floats = np.empty(0)
        self.notes: tuple[str, ...] = ()
        self._model, self._samples, self._seed = run.model, samples, seed

    def fit(self, known: Source, held_out: Sequence[Source]) -> Self:
        """Look at the training data, and at data that the run was not trained on.

        Args:
            known: What it was trained on.
            held_out: Such as the validation and the test part.

        Raises:
            OptionError: There are gaps, or too few held-out data for the share.
        """
        n = min(sum(map(len, held_out)), MOST_HELD_OUT)
        self._check_share(n)
        yardstick = yardstick_of(known)
        self._blamed = AskedModel(self._model, yardstick, self._samples)
        plain: Yardstick = AsTheyAre()
        self._asked = (
            self._blamed
            if self.score.by_distance
            else AskedModel(self._model, plain, self._samples)
        )
        self._look(known)
        found = [self._scores(batch) for batch in some_of(held_out, MOST_HELD_OUT, self._seed)]
        self.held_out = np.sort(np.concatenate(found))
        if n < (total := sum(map(len, held_out))):
            self.notes += (f"what is usual was judged by {n:,} of {total:,} held-out data",)
        return self

    @property
    def expected(self) -> float:
        """The share of new data like the held-out ones that is called outliers."""
        n = len(self.held_out) + 1
        return float(np.mean(np.arange(1, n + 1) / n <= self.share))

    def judge(self, batch: Batch) -> Verdicts:
        """What is to be said of data.

        Raises:
            OptionError: There are gaps.
        """
        scores = self._scores(batch)
        beyond = np.searchsorted(self.held_out, scores, side="right")
        tails = (1 + beyond) / (1 + len(self.held_out))
        return Verdicts(scores, tails, tails <= self.share)

    @property
    def rebuilds(self) -> bool:
        """Whether the model's likelihood has a mean that would be expected of a datum."""
        return self._model.likelihood.has_mean

    def blame(self, batch: Batch) -> Blame:
        """What of each datum the model would have expected otherwise.

        Raises:
            OptionError: Its likelihood has no mean that would be expected.
        """
        _check(self._model, SCORES["reconstruction"])
        rows = self._blamed.rows(batch.x)
        there = rebuilt(self._blamed, rows, batch.condition)
        return Blame(self._blamed.data(rows), self._blamed.data(there), np.abs(rows - there))

    def _look(self, known: Source) -> None:
        most = max(1, min(MOST_KNOWN, MOST_NUMBERS // known.spec.size))
        parts = list(some_of([known], most, self._seed))
        rows = np.concatenate([self._rows(part) for part in parts])
        told = None
        if parts[0].condition is not None:
            told = torch.cat([p.condition for p in parts if p.condition is not None])
        self.score.fit(self._asked, rows, told)
        if len(rows) < len(known):
            self.notes += (f"the score looked at {len(rows):,} of {len(known):,} training data",)

    def _rows(self, batch: Batch) -> Floats:
        if bool(batch.x.isnan().any()):
            raise OptionError(
                "There are gaps in these data, and rows of more gaps would seem more usual: fill "
                "them with `isthmus impute`, fit a run to that, and ask of that."
            )
        return self._asked.rows(batch.x)

    def _scores(self, batch: Batch) -> Floats:
        found = self.score.usual(self._asked, self._rows(batch), batch.condition)
        # A datum so far out that the model's numbers overflow is the most unusual.
        return np.nan_to_num(found.astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    def _check_share(self, held_out: int) -> None:
        least = 1 / (1 + held_out)
        if least > self.share:
            raise OptionError(
                f"A share of {self.share:g} of {held_out:,} held-out data is less than one of "
                f"them: ask for a share of at least {math.ceil(1000 * least) / 1000:g}."
            )


def _check(model: LatentModel, entry: Entry) -> None:
    """Raise an `OptionError` where the model cannot answer what the score asks."""
    if (why := _why_not(model, entry)) is not None:
        able = ", ".join(e.name for e in SCORES if _why_not(model, e) is None)
        raise OptionError(f"The score {entry.name!r} asks {why}: use {able}.")


def _why_not(model: LatentModel, entry: Entry) -> str | None:
    score: type[OutlierScore] = entry.factory  # type: ignore[assignment]
    if score.needs_density and not model.posterior.has_density:
        return "how likely a datum is, and this run's model gives it no probability"
    if score.by_distance and not model.likelihood.has_mean:
        return "how far a datum is from others, and numbers of categories have no distances"
    return None
