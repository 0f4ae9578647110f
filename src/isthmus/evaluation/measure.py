"""The figures of one candidate on held-out data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluation.candidates import Candidate
from isthmus.evaluation.units import Floats, Units
from isthmus.metrics import (
    active_units,
    auc,
    linear_probe,
    mean_and_error,
    r2,
    rmse,
    two_sample_auc,
)
from isthmus.metrics.estimates import Estimate

LOG2 = math.log(2.0)
# Data that importance sampling and the two-sample test look at, at most.
DENSITY_ROWS, SAMPLE_ROWS = 500, 1000
# Share of a datum's elements that the spoiled copy takes from another datum.
SPOILED_SHARE = 0.25


@final
@dataclass(frozen=True)
class Question:
    """What every candidate is asked.

    Args:
        units: Between the data and what models see.
        train: (N, *D) training data, in the models' units.
        test: (N, *D) held-out data, in the models' units.
        clean: (N, *D) the same held-out data as they are.
        train_labels: (N,) or None.
        test_labels: (N,) or None.
        seed: Of samples, spoiling and classifiers.
    """

    units: Units
    train: Floats
    test: Floats
    clean: Floats
    train_labels: NDArray[np.int64] | None
    test_labels: NDArray[np.int64] | None
    seed: int = 0

    @property
    def spoiled(self) -> Floats:
        """The held-out data with a share of each datum's elements taken from another.

        Right one by one, wrong together.
        """
        random = np.random.default_rng(self.seed)
        others = self.test[random.permutation(len(self.test))]
        return np.where(random.random(self.test.shape) < SPOILED_SHARE, others, self.test)


@final
@dataclass
class Answers:
    """The figures of one candidate.

    Args:
        values: By column key, each with its standard error over held-out data (NaN where it has
            none).
        per_datum: By column key, the (N,) values whose mean a figure is, for paired comparisons.
        arrays: Pictures by the name of their kind.
        why_missing: By column key.
    """

    values: dict[str, Estimate] = field(default_factory=dict)
    per_datum: dict[str, Floats] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    why_missing: dict[str, str] = field(default_factory=dict)


def measure(candidate: Candidate, question: Question) -> Answers:
    """Every figure that the candidate can have; the rest is said to be missing and why."""
    answers = Answers()
    codes = candidate.encode(question.test)
    _reconstruction(candidate, question, codes, answers)
    _density(candidate, question, answers)
    _samples(candidate, question, answers)
    _features(candidate, question, codes, answers)
    _outliers(candidate, question, answers)
    exact = {
        "seconds": candidate.seconds,
        "parameters": candidate.parameters,
        "bytes": candidate.code_bytes,
    }
    answers.values.update({key: Estimate(float(value), math.nan) for key, value in exact.items()})
    if candidate.history is not None:
        answers.arrays["history"] = candidate.history
    return answers


def reconstruction_error(candidate: Candidate, question: Question, x: Floats) -> Floats:
    """(N,) squared error of a reconstruction, relative to each column's spread in a table."""
    difference = (candidate.decode(candidate.encode(x)) - x) / spread_of(question)
    result: Floats = np.square(difference).reshape(len(x), -1).sum(1)
    return result


def spread_of(question: Question) -> Floats:
    """The spread by which an element's error is judged: columns have units of their own."""
    if not by_column(question):
        return np.ones(())
    spread = question.train.std(0)
    return np.where(spread > 0, spread, 1.0)


def by_column(question: Question) -> bool:
    """Whether an element is a column with a scale of its own."""
    return question.units.spec.kind in COLUMNAR_KINDS


COLUMNAR_KINDS = frozenset({"table"})


def _reconstruction(
    candidate: Candidate, question: Question, codes: Floats, answers: Answers
) -> None:
    rebuilt = question.units.centred(candidate.decode(codes))
    clean, unit = question.clean, question.units.spec.unit
    kept = r2(clean, rebuilt, per_column=by_column(question))
    errors = np.square((clean - rebuilt) / spread_of(question)).reshape(len(clean), -1).sum(1)
    relative = (1.0 - kept) * mean_and_error(errors).error / max(float(errors.mean()), 1e-300)
    answers.values["r2"] = Estimate(kept, relative)
    answers.values["rmse"] = Estimate(rmse(clean, rebuilt) * unit, math.nan)
    answers.per_datum["r2"] = errors
    answers.arrays["reconstructions"] = rebuilt.astype(np.float32)


def _density(candidate: Candidate, question: Question, answers: Answers) -> None:
    density = candidate.density
    if density is None:
        for key in ("nll", "elbo", "rate", "distortion"):
            answers.why_missing[key] = candidate.why_no_density
        if candidate.code_bits is not None:
            # A point among equally likely codes: KL to the uniform prior, exactly.
            del answers.why_missing["rate"]
            answers.values["rate"] = Estimate(candidate.code_bits, math.nan)
        return
    x, cells = question.test[:DENSITY_ROWS], question.units.log_cells
    nll = cells - density.log_likelihood(x)
    rate, distortion = density.rate(question.test), density.distortion(question.test) + cells
    answers.per_datum["nll"] = nll
    answers.values["nll"] = mean_and_error(nll)
    answers.values["elbo"] = mean_and_error(-(rate + distortion))
    answers.values["rate"] = mean_and_error(rate / LOG2)
    answers.values["distortion"] = mean_and_error(distortion / LOG2)
    if density.rate_per_dimension is not None:
        answers.arrays["rates"] = np.sort(density.rate_per_dimension(question.test) / LOG2)[::-1]


def _samples(candidate: Candidate, question: Question, answers: Answers) -> None:
    real = question.clean[:SAMPLE_ROWS]
    drawn = question.units.settled(candidate.draw(len(real), question.seed))
    answers.values["sample_auc"] = two_sample_auc(
        real.reshape(len(real), -1), drawn.reshape(len(drawn), -1), question.seed
    )
    answers.arrays["samples"] = drawn.astype(np.float32)


def _features(candidate: Candidate, question: Question, codes: Floats, answers: Answers) -> None:
    if candidate.density is not None or candidate.family == "learned":
        answers.values["active"] = Estimate(float(active_units(codes).sum()), math.nan)
    else:
        answers.why_missing["active"] = f"the codes of {candidate.name} have no scale to judge by"
    answers.arrays["codes"] = principal_plane(codes).astype(np.float32)
    if question.train_labels is None or question.test_labels is None:
        answers.why_missing["probe"] = "the data have no labels"
        return
    train_codes = candidate.encode(question.train)
    accuracy = linear_probe(
        train_codes, question.train_labels, codes, question.test_labels, question.seed
    )
    error = math.sqrt(max(accuracy * (1.0 - accuracy), 1e-12) / len(codes))
    answers.values["probe"] = Estimate(accuracy, error)


def _outliers(candidate: Candidate, question: Question, answers: Answers) -> None:
    score: Callable[[Floats], Floats]
    if candidate.density is not None:
        density = candidate.density

        def score(x: Floats) -> Floats:
            return density.rate(x) + density.distortion(x)
    else:

        def score(x: Floats) -> Floats:
            return reconstruction_error(candidate, question, x)

    normal, spoiled = score(question.test), score(question.spoiled)
    truth = np.repeat([False, True], [len(normal), len(spoiled)])
    found = auc(np.concatenate([normal, spoiled]), truth)
    # Hanley & McNeil's error of an area under the curve.
    q1, q2, n = found / (2.0 - found), 2.0 * found**2 / (1.0 + found), len(normal)
    variance = (found * (1 - found) + (n - 1) * (q1 - found**2 + q2 - found**2)) / n**2
    answers.values["outlier_auc"] = Estimate(found, math.sqrt(max(variance, 0.0)))


def principal_plane(codes: Floats) -> Floats:
    """Codes (N, Z) on their two widest principal axes, (N, 2)."""
    centred = codes - codes.mean(0)
    if centred.shape[1] < 2:
        return np.hstack([centred, np.zeros((len(centred), 1))])
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane: Floats = centred @ axes[:2].T
    return plane
