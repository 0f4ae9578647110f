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
from isthmus.data import Resident, Source
from isthmus.data.request import LABEL
from isthmus.errors import DataError, OptionError
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.features import FEATURES, Features
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.base import MINUTES
from isthmus.evaluation.stage import in_memory, question_on
from isthmus.evaluation.subject import Answers, Question, Subject
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
    dequantise: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Measure a trained run on the test part of data; classifiers learn from the training part.

    Args:
        run: From `fit`, or `Run.read(folder)`.
        source: The data that it was trained on, or others like them, with their condition for a
            conditional run; split as the run's were.
        measures: Names, see `MEASURES`; None takes all but those that take minutes, and "all"
            takes those too.
        samples: Importance samples for log p(x).
        seed: Of what is random in the measuring.
        features: Data (N, *D) -> (N, F), or "inception": the space in which neighbours, coverage,
            Fréchet distances and paths are measured; None takes the data's own elements.
        dequantise: Spread greys that are stored as whole levels evenly over their cells, as
            `compare` does: NLL and bits/dim then bound those of the levels themselves.
        say: Hears the name of each measure before it is taken.

    Raises:
        DataError: A part of the split is empty, or a conditional run got data without conditions.
        OptionError: The data have no whole levels to be spread.
        UnknownNameError: There is no measure of that name.
    """
    conditional = needs_condition(run.model)
    if conditional and not source.spec.condition:
        names = ", ".join(column.name for column in run.spec.condition)
        raise DataError(
            f"{run.recipe} is conditioned on {names}, and these data come without: load them with "
            f"condition=, as the run's own were."
        )
    wanted = names_of(measures)
    training, _, test = run.split.of(source)
    if not len(training) or not len(test):
        raise DataError(
            f"Of {len(source):,} data the split leaves {len(training):,} to learn from and "
            f"{len(test):,} to measure; at least one of each is needed."
        )
    training, test = in_memory(training), in_memory(test)
    question = _question(run, training, test, dequantise, seed)
    space: Features | None = FEATURES.create(features) if isinstance(features, str) else features
    subject = Subject(learned(run, samples), replace(question, features=space))
    found = ask(subject, wanted, say)
    found.words += [*_of_levels(question.units, found), *_of_condition(subject, run, found)]
    return Evaluation(
        found.values,
        found.why_missing,
        found.words,
        {
            "data": f"{run.spec.name}: {len(test):,} held out (split seed {run.split.seed}), "
            f"{len(training):,} for classifiers to learn from",
            "likelihood": f"{samples:,} importance samples{_of_what(subject, dequantise)}",
            "seed": str(seed),
        }
        | ({"features": getattr(space, "__name__", "the caller's")} if space else {}),
        found.arrays,
    )


def _question(
    run: Run, training: Resident, test: Resident, dequantise: bool, seed: int
) -> Question:
    if not dequantise:
        return question_on(Units(run.spec), training, test, test, seed)
    units = Units.of(run.spec)
    if not units.levels:
        raise OptionError(
            f"{run.spec.name} is not stored as whole levels, so that there is nothing to "
            "dequantise: leave it out."
        )
    # Noise of another seed for what is judged.
    spread = units.spread(training, seed), units.spread(test, seed + 1)
    return question_on(units, *spread, test, seed)


def _of_what(subject: Subject, dequantise: bool) -> str:
    """What the likelihood is of."""
    density = subject.candidate.density
    if density is None:
        return ""
    if dequantise:
        return "; whole levels spread over their cells"
    return "; of probabilities of the data" if density.is_mass else "; of a density"


def _of_levels(units: Units, found: Answers) -> list[str]:
    """What the likelihood of whole levels is worth."""
    spec = units.spec
    if units.levels or spec.unit <= 1.0 or spec.log_unit == 0.0 or "nll" not in found.values:
        return []
    return [
        f"The data are whole levels of {spec.unit + 1:g}, and NLL and bits/dim are of a density at "
        "them: such a density can grow without bound. --dequantise (dequantise=True) "
        "spreads the levels over their cells and bounds the bits of the levels themselves."
    ]


def _of_condition(subject: Subject, run: Run, found: Answers) -> list[str]:
    """What figures of a conditional model are of."""
    if not subject.candidate.conditional:
        return []
    names = [column.name for column in run.spec.condition]
    said = (
        f"{run.recipe} is told {', '.join(names)} of each datum: figures are of x given that, and "
        "samples are drawn under the conditions of the held-out data."
    )
    if LABEL in names and "probe" in found.values:
        said += " Its code need not carry the label, so that a probe near chance is no fault."
    return [said]


def names_of(measures: Sequence[str] | None) -> list[str]:
    """The measures asked for, each once.

    Raises:
        UnknownNameError: There is no measure of that name.
        OptionError: It has no figures.
    """
    # Those without columns only make what a report draws.
    with_figures = [entry for entry in MEASURES if entry.about["columns"]]
    if measures is None:
        return [entry.name for entry in with_figures if entry.about["cost"] != MINUTES]
    if EVERYTHING in measures:
        return [entry.name for entry in with_figures]
    asked = [MEASURES[name] for name in dict.fromkeys(measures)]
    for entry in asked:
        if entry not in with_figures:
            raise OptionError(
                f"{entry.name} has no figures: it makes pictures, which `isthmus report` draws."
            )
    return [entry.name for entry in asked]
