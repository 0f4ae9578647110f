"""Who leads by a figure, and whether the lead is more than noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from isthmus.evaluation.kinds import apart
from isthmus.evaluation.measures import column
from isthmus.evaluation.pairs import LEVEL, Pair
from isthmus.evaluation.results import ModelResult
from isthmus.evaluation.units import Floats


@final
@dataclass(frozen=True)
class Judged:
    """A result with the per-datum values behind it, for paired comparisons.

    Args:
        result: The figures.
        per_datum: By column key, (N,) values whose mean decides; less is better.
        level: (column key, label) of the models that a paired test does not tell from this one.
    """

    result: ModelResult
    per_datum: dict[str, Floats] = field(default_factory=dict)
    level: frozenset[tuple[str, str]] = frozenset()


@final
@dataclass(frozen=True)
class Ranking:
    """Models by one figure, the best first, and whether the first leads the second beyond noise."""

    models: list[Judged]
    within_noise: bool

    @property
    def best(self) -> ModelResult:
        """The first."""
        return self.models[0].result


def rank(models: Sequence[Judged], key: str) -> Ranking | None:
    """The models that have a figure, the best first; of a likelihood those of one kind alone."""
    shown = column(key)
    out = apart([j.result for j in models], shown)
    having = [j for i, j in enumerate(models) if key in j.result.metrics and i not in out]
    if not having:
        return None
    ordered = sorted(having, key=lambda j: -shown.better * shown.held(j.result.metrics[key]))
    return Ranking(ordered, len(ordered) > 1 and not leads(ordered[0], ordered[1], key))


def comparable(models: Sequence[Judged]) -> list[tuple[str, dict[str, Floats]]]:
    """Label and per-datum values of each model, of a likelihood only of those of one kind."""
    results = [j.result for j in models]
    keys = {key for j in models for key in j.per_datum}
    out = {key: apart(results, column(key)) for key in keys}
    return [
        (j.result.label, {key: v for key, v in j.per_datum.items() if i not in out[key]})
        for i, j in enumerate(models)
    ]


def held_level(models: Sequence[Judged], pairs: Sequence[Pair]) -> list[Judged]:
    """The models, each with those that the paired tests leave level with it."""
    level: dict[str, set[tuple[str, str]]] = {}
    for pair in pairs:
        if pair.within_noise:
            level.setdefault(pair.better, set()).add((pair.figure, pair.worse))
            level.setdefault(pair.worse, set()).add((pair.figure, pair.better))
    return [
        replace(j, level=frozenset(level.get(j.result.label, ()))) if j.result.main else j
        for j in models
    ]


def leads(first: Judged, second: Judged, key: str) -> bool:
    """Whether the first is better by more than chance leaves at 5 %."""
    return chance(first, second, key) < LEVEL


def chance(first: Judged, second: Judged, key: str) -> float:
    """How likely a gap of this size is where there is no difference.

    Over seeds by Welch's test, a baseline being the same at every seed; over data by the paired
    differences of per-datum values where both have them, and 1 where the paired test among all
    models leaves the two level. Where there is neither, by both standard errors. Where seeds and
    data both say something, the larger counts.
    """
    a, b = first.result, second.result
    if (key, b.label) in first.level:
        return 1.0
    shown = column(key)
    gap = abs(shown.held(a.metrics[key]) - shown.held(b.metrics[key]))
    repeated = [s for s in (r.seeds.get(key, []) for r in (a, b)) if len(s) > 1]
    found = [_welch(gap, repeated)] if repeated else []
    if key in first.per_datum and key in second.per_datum:
        difference = first.per_datum[key] - second.per_datum[key]
        found.append(
            _normal(difference.mean(), difference.std(ddof=1) / math.sqrt(len(difference)))
        )
    elif not repeated:
        found.append(_normal(gap, math.hypot(a.errors.get(key, 0.0), b.errors.get(key, 0.0))))
    return max(found)


def _normal(gap: float, error: float) -> float:
    """P of a gap with this standard error."""
    if math.isnan(error):
        return 1.0
    if error == 0.0:
        return float(gap == 0)
    return math.erfc(abs(gap) / error / math.sqrt(2.0))


def _welch(gap: float, samples: Sequence[Sequence[float]]) -> float:
    """P of a gap between two means, or a mean and a known one."""
    from scipy.stats import t

    squares = [float(np.var(s, ddof=1)) / len(s) for s in samples]
    total = sum(squares)
    if total == 0.0:
        return float(gap == 0)
    # Welch and Satterthwaite's degrees of freedom.
    freedom = total**2 / sum(q**2 / (len(s) - 1) for q, s in zip(squares, samples, strict=True))
    return float(2.0 * t.sf(gap / math.sqrt(total), freedom))
