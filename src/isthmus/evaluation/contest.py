"""The one protocol by which the models of a comparison are trained and measured."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from isthmus.evaluation.candidate import Candidate
from isthmus.evaluation.candidates import classical, learned
from isthmus.evaluation.lineup import Entry
from isthmus.evaluation.measures import MEASURES, OVERVIEW, ask
from isthmus.evaluation.measures.stability import over_seeds
from isthmus.evaluation.results import ModelResult
from isthmus.evaluation.stage import Stage
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, Units
from isthmus.fitting import fit
from isthmus.metrics import interval
from isthmus.training import Listener, is_finished

Watch = Callable[[str], Sequence[Listener]]
# What is asked of the models of the sweep over code sizes.
OF_SIZES = ("reconstruction", "cost")


@final
@dataclass
class Contest:
    """The one protocol by which every entry is trained, measured and announced.

    Args:
        stage: What all share.
        samples: Importance samples for log p(x).
        settings: Of the training.
        watch: Title -> listeners of one training.
        say: Hears a line before each training.
        trainings: How many there will be.
        folder: Where runs are kept, by `place`; what is there is gone on with. None keeps none.
        measures: What is asked of the models of the main table.
    """

    stage: Stage
    samples: int
    settings: dict[str, Any]
    watch: Watch
    say: Callable[[str], None]
    trainings: int
    folder: Path | None = None
    measures: Sequence[str] = OVERVIEW
    _begun: int = 0

    def result(self, entry: Entry, repeats: int) -> tuple[ModelResult, Answers]:
        """The means over `repeats` trainings from different seeds, and what the first answered.

        The per-datum values of the answers are means over the trainings.
        """
        wanted: Sequence[str] = self.measures if entry.main else OF_SIZES
        answers: list[Answers] = []
        subjects: list[Subject] = []
        for repeat in range(repeats):
            self.say(self._title(entry, repeat))
            subjects.append(Subject(self._candidate(entry, repeat), self.stage.question))
            answers.append(ask(subjects[-1], wanted))
            # Pictures are of the first training alone.
            wanted = [name for name in wanted if MEASURES[name].about["columns"]]
        result = _result(entry, subjects[0].candidate, answers, self.stage.question.units)
        if repeats > 1:
            _add_stability(result, subjects)
        first = answers[0]
        first.per_datum = {
            key: np.mean([a.per_datum[key] for a in answers], axis=0) for key in first.per_datum
        }
        return result, first

    def _title(self, entry: Entry, repeat: int) -> str:
        what = f"{entry.label} at {entry.latent_dim} dimensions"
        if not entry.learned:
            return f"fitting {what}"
        self._begun += 1
        kept = self._kept(entry, repeat)
        verb = "reading" if kept is not None and is_finished(kept) else "training"
        return f"{verb} {what}, {self._begun} of {self.trainings}"

    def _kept(self, entry: Entry, repeat: int) -> Path | None:
        seed = int(self.settings.get("seed", 0)) + repeat
        return None if self.folder is None else self.folder / place(entry, seed)

    def _candidate(self, entry: Entry, repeat: int) -> Candidate:
        stage = self.stage
        if not entry.learned:
            return classical(entry.name, entry.latent_dim, stage.training, stage.scaling)
        seed = int(self.settings.get("seed", 0)) + repeat
        run = fit(
            stage.source,
            entry.name,
            split=stage.split,
            folder=self._kept(entry, repeat),
            resume=self.folder is not None,
            listeners=self.watch(entry.label),
            **{**self.settings, "seed": seed, **entry.options, "latent_dim": entry.latent_dim},
        )
        return learned(run, self.samples)


def place(entry: Entry, seed: int) -> str:
    """The name of the folder of one run."""
    words = [
        f"{key}-{value:g}" if isinstance(value, float) else f"{key}-{value}"
        for key, value in entry.options.items()
    ]
    name = "-".join([entry.name, *words, f"z-{entry.latent_dim}", f"seed-{seed}"])
    return re.sub(r"[^\w.]+", "-", name)


def _result(
    entry: Entry, candidate: Candidate, answers: list[Answers], units: Units
) -> ModelResult:
    """The means over seeds, with an interval over seeds where there are several."""
    result = ModelResult(
        entry.name, entry.label, candidate.family, candidate.latent_dim, entry.main
    )
    for key in answers[0].values:
        values = [a.values[key].value for a in answers]
        result.seeds[key] = values
        result.metrics[key] = float(np.mean(values))
        error = answers[0].values[key].error
        if len(values) > 1:
            low, high = interval(values)
            error = (high - low) / 2.0
        if math.isfinite(error):
            result.errors[key] = error
    result.why_missing = answers[0].why_missing
    result.notes, result.given = candidate.notes, list(candidate.given)
    result.kept_step = candidate.kept_step
    if candidate.density is not None:
        result.is_mass = candidate.density.is_mass or bool(units.levels)
    return result


def _add_stability(result: ModelResult, subjects: Sequence[Subject]) -> None:
    """Say how alike the codes of the trainings are."""
    rates = [_rates(subject) for subject in subjects]
    known = [found for found in rates if found is not None]
    found = over_seeds([s.codes for s in subjects], known if len(known) == len(rates) else None)
    result.metrics["udr"] = found.value
    result.why_missing.pop("udr", None)
    if math.isfinite(found.error):
        result.errors["udr"] = found.error


def _rates(subject: Subject) -> Floats | None:
    """(Z,) nats by latent, or None where the rate does not split over the dimensions of a code."""
    density = subject.candidate.density
    if density is None or density.rate_per_dimension is None:
        return None
    rates = density.rate_per_dimension(subject.question.test, subject.condition)
    return rates if rates.size == subject.codes.shape[1] else None
