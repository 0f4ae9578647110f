"""Whose likelihoods may stand side by side: a mass is no density, and log p(x|c) not log p(x)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from isthmus.evaluation.columns import Column
from isthmus.evaluation.results import ModelResult

LEVELS = "a bound on the probability of whole levels"


class Kind(NamedTuple):
    """What a likelihood is of.

    Args:
        is_mass: Of probabilities of the data themselves; False of a density, None where that is
            not known.
        given: What the model is told of each datum.
    """

    is_mass: bool | None
    given: tuple[str, ...]

    @property
    def words(self) -> str:
        """Such as "a density given label"."""
        of = {True: "a probability", False: "a density", None: "a likelihood"}
        return self.said(of[self.is_mass])

    def said(self, of: str) -> str:
        """The same of what is called `of`."""
        return f"{of} given {', '.join(self.given)}" if self.given else of


def kind_of(result: ModelResult) -> Kind:
    """What a model's likelihood is of."""
    return Kind(result.is_mass, tuple(result.given))


def common_kind(results: Sequence[ModelResult], key: str) -> Kind | None:
    """The kind within which a figure of the likelihood is ranked; None where nobody has it.

    Of the models that are told nothing, where there are any; among these of the learned ones; of
    masses sooner than of densities.
    """
    having = [r for r in results if math.isfinite(r.metrics.get(key, math.nan))]
    if not having:
        return None
    return kind_of(
        min(having, key=lambda r: (bool(r.given), r.family != "learned", r.is_mass is not True))
    )


def apart(results: Sequence[ModelResult], column: Column) -> dict[int, str]:
    """By place in `results`, why a model's figure must not be compared with the others'."""
    if not column.of_data:
        return {}
    common = common_kind(results, column.key)
    return {
        i: _why(kind_of(result), common)
        for i, result in enumerate(results)
        if common is not None
        and math.isfinite(result.metrics.get(column.key, math.nan))
        and kind_of(result) != common
    }


def _why(kind: Kind, common: Kind) -> str:
    if kind.given != common.given:
        return (
            f"It is told {', '.join(kind.given)} of each datum, also when it rebuilds and draws: "
            "this is of log p(x|c), which must not be compared with the log p(x) of the others."
        )
    if kind.is_mass is False:
        return (
            "This is of a density, while the others give probabilities of the values themselves: "
            "the two have different units and must not be compared."
        )
    return (
        "This is of probabilities of the values themselves, while the others give densities: the "
        "two have different units and must not be compared."
    )


def say_kinds(results: Sequence[ModelResult], bounded: bool) -> str:
    """What each model's likelihood is of, in words; nothing where none has one.

    Args:
        results: The models of the main table.
        bounded: Densities of data spread over their cells bound the probabilities of the levels.
    """
    labels: dict[Kind, list[str]] = {}
    for result in results:
        if "nll" in result.metrics:
            labels.setdefault(kind_of(result), []).append(result.label)
    return "; ".join(
        f"{kind.said(LEVELS) if bounded else kind.words}: {', '.join(names)}"
        for kind, names in labels.items()
    )
