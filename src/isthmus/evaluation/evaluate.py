"""`evaluate`: the figures of one trained run on data, each measure by its name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from isthmus.conditions import needs_condition
from isthmus.data import Source
from isthmus.errors import DataError, UnsupportedError
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.features import FEATURES, Features
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.base import MINUTES
from isthmus.evaluation.stage import in_memory, question_on
from isthmus.evaluation.subject import Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import METRICS, Run
from isthmus.metrics.estimates import Estimate
from isthmus.store import read_json, write_json

EVERYTHING = "all"
DEFAULT_SAMPLES = 500


@final
@dataclass
class Evaluation:
    """What was measured of a run.

    Args:
        values: By column key, with standard errors (NaN where there is none).
        why_missing: By column key, why a figure is missing.
        words: Sentences that the figures call for.
        protocol: How it was measured, in words by name.
        arrays: What a report draws.
    """

    values: dict[str, Estimate]
    why_missing: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    protocol: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; an unknown error is left out."""
        return {
            "values": {
                key: {"value": found.value}
                | ({"error": found.error} if math.isfinite(found.error) else {})
                for key, found in self.values.items()
            },
            "why_missing": self.why_missing,
            "words": self.words,
            "protocol": self.protocol,
        }

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write the figures into the `metrics.json` of a run's folder, beside what is there."""
        path = Path(folder) / METRICS
        stored: dict[str, Any] = read_json(path) if path.exists() else {"format": 1}
        before = stored.get("evaluation", {})
        mine = self.to_json()
        # Figures of other measures of an earlier evaluation by the same protocol stay.
        if before.get("protocol") == mine["protocol"]:
            for part in ("values", "why_missing"):
                mine[part] = before[part] | mine[part]
            mine["words"] = [
                *mine["words"],
                *(w for w in before["words"] if w not in mine["words"]),
            ]
        # JSON knows no NaN.
        write_json(path, {**stored, "evaluation": json.loads(json.dumps(mine), parse_constant=str)})
        return path


def evaluate(
    run: Run,
    source: Source,
    *,
    measures: Sequence[str] | None = None,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    features: Features | str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Measure a trained run on the test part of data; classifiers learn from the training part.

    Args:
        run: From `fit`, or `Run.read(folder)`.
        source: The data that it was trained on, or others like them; split as the run's were.
        measures: Names, see `MEASURES`; None takes all but those that take minutes, and "all"
            takes those too.
        samples: Importance samples for log p(x).
        seed: Of what is random in the measuring.
        features: Data (N, *D) -> (N, F), or "inception": the space in which neighbours, coverage,
            Fréchet distances and paths are measured; None takes the data's own elements.
        say: Hears the name of each measure before it is taken.

    Raises:
        DataError: A part of the split is empty.
        UnknownNameError: There is no measure of that name.
        UnsupportedError: The model is conditional.
    """
    if needs_condition(run.model):
        raise UnsupportedError(
            f"{run.recipe} is conditioned on something, and the measures ask about x alone: use "
            "`isthmus score` and `isthmus reconstruct`, which take the condition with the data."
        )
    wanted = names_of(measures)
    data = in_memory(source)
    training, _, test = run.split.of(data)
    if not len(training) or not len(test):
        raise DataError(
            f"Of {len(data):,} data the split leaves {len(training):,} to learn from and "
            f"{len(test):,} to measure; at least one of each is needed."
        )
    question = question_on(Units(run.spec), training, test, test, seed)
    space: Features | None = FEATURES.create(features) if isinstance(features, str) else features
    subject = Subject(learned(run, samples), replace(question, features=space))
    found = ask(subject, wanted, say)
    return Evaluation(
        found.values,
        found.why_missing,
        found.words,
        {
            "data": f"{run.spec.name}: {len(test):,} held out (split seed {run.split.seed}), "
            f"{len(training):,} for classifiers to learn from",
            "likelihood": f"{samples:,} importance samples",
            "seed": str(seed),
        }
        | ({"features": getattr(space, "__name__", "the caller's")} if space else {}),
        found.arrays,
    )


def names_of(measures: Sequence[str] | None) -> list[str]:
    """The measures asked for, each once.

    Raises:
        UnknownNameError: There is no measure of that name.
    """
    # Those without columns only make what a report draws.
    with_figures = [entry for entry in MEASURES if entry.about["columns"]]
    if measures is None:
        return [entry.name for entry in with_figures if entry.about["cost"] != MINUTES]
    if EVERYTHING in measures:
        return [entry.name for entry in with_figures]
    return [MEASURES[name].name for name in dict.fromkeys(measures)]
