"""Paired tests between models that were measured on the same held-out data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np

from isthmus.evaluation.units import Floats

# What has a value for every held-out datum, with the purpose it speaks of and the unit of a
# difference. Samples have none: they are of no datum.
PAIRED = {
    "r2": ("reconstruction", "squared error"),
    "nll": ("likelihood", "nats"),
    "probe": ("features", "of the labels"),
    "outlier_auc": ("anomalies", "AUC"),
}
# A difference of a larger p is within noise.
LEVEL = 0.05
# Two values that differ by a smaller share of themselves are the same.
ROUNDING = 1e-9
# Decimals of a difference; a smaller one is written by its power of ten.
MOST_DIGITS = 5


@final
@dataclass(frozen=True)
class Pair:
    """Two models on the same data; less is better in every value that is compared.

    Args:
        figure: "r2", by the squared error of a datum; "nll"; "probe", by labels that are missed;
            or "outlier_auc", by held-out data that do not rank below spoiled ones.
        better: The label of the model with the smaller mean.
        worse: The other's.
        difference: Mean over data of worse − better, in the unit of `PAIRED`.
        error: Its standard error.
        p: Of Student's paired test of no difference, adjusted by Holm for all pairs of the figure.
    """

    figure: str
    better: str
    worse: str
    difference: float
    error: float
    p: float

    @property
    def purpose(self) -> str:
        """What the figure speaks of."""
        return PAIRED[self.figure][0]

    @property
    def unit(self) -> str:
        """Of the difference."""
        return PAIRED[self.figure][1]

    @property
    def within_noise(self) -> bool:
        """Whether other data of the same kind could turn the two around."""
        return not self.p <= LEVEL

    @property
    def alike(self) -> bool:
        """Whether the two gave the same value for every datum."""
        return self.difference == 0.0 and not self.error > 0

    @property
    def gap(self) -> str:
        """The difference with its error, to the digits that the error leaves."""
        if not self.error > 0:
            return f"{self.difference:.3g}"
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        if digits > MOST_DIGITS:
            return f"{self.difference:.1g} ± {self.error:.1g}"
        return f"{self.difference:,.{digits}f} ± {self.error:,.{digits}f}"

    @property
    def chance(self) -> str:
        """P as it is quoted."""
        return "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"


def winners(pairs: Sequence[Pair]) -> list[Pair]:
    """For each figure the best model against the next."""
    found = []
    for figure in dict.fromkeys(pair.figure for pair in pairs):
        among = [pair for pair in pairs if pair.figure == figure]
        wins = Counter(pair.better for pair in among)
        first, count = wins.most_common(1)[0]
        found += [pair for pair in among if pair.better == first and wins[pair.worse] == count - 1]
    return found


def paired_tests(per_datum: Sequence[tuple[str, dict[str, Floats]]]) -> list[Pair]:
    """Every pair of models for every figure that has a value for each datum.

    The trainings are held fixed: what is tested is whether the difference would be there on other
    data of the same kind, not with other seeds.

    Args:
        per_datum: Label and, by figure, (N,) values of each model on the same data.
    """
    found: list[Pair] = []
    for figure in PAIRED:
        models = [(label, values[figure]) for label, values in per_datum if figure in values]
        pairs = [_pair(figure, a, b) for a, b in combinations(models, 2)]
        adjusted = holm([pair.p for pair in pairs])
        found += [
            Pair(q.figure, q.better, q.worse, q.difference, q.error, p)
            for q, p in zip(pairs, adjusted, strict=True)
        ]
    return found


def _pair(figure: str, a: tuple[str, Floats], b: tuple[str, Floats]) -> Pair:
    from scipy.stats import t

    (better, first), (worse, second) = sorted((a, b), key=lambda model: model[1].mean())
    gaps = second - first
    # Two that do the same by other sums, such as PCA and ICA rebuilding, differ by rounding alone.
    gaps[np.abs(gaps) <= ROUNDING * np.maximum(np.abs(first), np.abs(second))] = 0.0
    # Rounding may turn around two means that are equal.
    mean, n = max(float(gaps.mean()), 0.0), len(gaps)
    error = float(gaps.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    # Two models that agree on every datum do not differ.
    p = float(2.0 * t.sf(mean / error, n - 1)) if error > 0 else float(mean == 0)
    return Pair(figure, better, worse, mean, error, p)


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, by Holm's step-down method."""
    order = np.argsort(p)
    raised = np.array(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(value) for value in adjusted]
