"""Paired tests between models that were measured on the same held-out data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np

from isthmus.evaluation.units import Floats

# What has a value for every held-out datum: r2 by the squared error, nll in nats.
PAIRED = ("r2", "nll")


@final
@dataclass(frozen=True)
class Pair:
    """Two models on the same data; less is better in every value that is compared.

    Args:
        figure: "r2", by the squared error of a datum, or "nll".
        better: The label of the model with the smaller mean.
        worse: The other's.
        difference: Mean over data of worse − better: squared error, or nats.
        error: Its standard error.
        p: Of Student's paired test of no difference, adjusted by Holm for all pairs of the figure.
    """

    figure: str
    better: str
    worse: str
    difference: float
    error: float
    p: float


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
    mean, n = float(gaps.mean()), len(gaps)
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
