"""Who leads by a figure, and whether the lead is more than noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from isthmus.evaluation.measures import column
from isthmus.evaluation.results import ModelResult
from isthmus.evaluation.units import Floats

# A lead of fewer standard errors than this is within noise.
SIGMAS = 2.0


@final
@dataclass(frozen=True)
class Judged:
    """A result with the per-datum values behind it, for paired comparisons.

    Args:
        result: The figures.
        per_datum: By column key, (N,) values whose mean decides; less is better.
    """

    result: ModelResult
    per_datum: dict[str, Floats] = field(default_factory=dict)


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
    """The models that have a figure, the best first."""
    having = [j for j in models if key in j.result.metrics]
    if not having:
        return None
    better = column(key).better
    ordered = sorted(having, key=lambda j: -better * j.result.metrics[key])
    return Ranking(ordered, len(ordered) > 1 and not leads(ordered[0], ordered[1], key))


def leads(first: Judged, second: Judged, key: str) -> bool:
    """Whether the first is better by more than its uncertainty.

    Over seeds by Welch's standard error; on one seed by the paired differences of per-datum values
    where both have them, else by both standard errors.
    """
    a, b = first.result, second.result
    gap = abs(a.metrics[key] - b.metrics[key])
    seeds_a, seeds_b = a.seeds.get(key, []), b.seeds.get(key, [])
    if len(seeds_a) > 1:
        squares = sum(np.var(s, ddof=1) / len(s) for s in (seeds_a, seeds_b) if len(s) > 1)
        return gap > SIGMAS * math.sqrt(squares)
    if key in first.per_datum and key in second.per_datum:
        difference = first.per_datum[key] - second.per_datum[key]
        error = difference.std(ddof=1) / math.sqrt(len(difference))
        return bool(abs(difference.mean()) > SIGMAS * error)
    return gap > SIGMAS * math.hypot(a.errors.get(key, 0.0), b.errors.get(key, 0.0))
