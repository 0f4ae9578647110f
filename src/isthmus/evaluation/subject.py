"""What is asked of every candidate, and one candidate before that question."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidate import Candidate, Density, Importance
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.units import Floats, Units
from isthmus.metrics.estimates import Estimate
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior

# Data that importance sampling looks at, at most.
DENSITY_ROWS = 500
# Data that the tests of samples look at, at most.
SAMPLE_ROWS = 1000
# Data that the bound on log p(x) is taken of, and those that are spoiled, at most.
BOUND_ROWS, SPOILED_ROWS = 5000, 2000
# Share of a datum's elements that the spoiled copy takes from another datum.
SPOILED_SHARE = 0.25
# What a datum is a number of.
OF_THE_DATA, OF_THE_PART = "of the data", "of the held-out ones"
COLUMNAR_KINDS = frozenset({"table"})


@final
@dataclass(frozen=True)
class Question:
    """What every candidate is asked.

    Args:
        units: Between the data and what models see.
        train: (N, *D) training data, in the models' units.
        test: (N, *D) held-out data, in the models' units; the first ones stand for all.
        clean: (N, *D) the same held-out data as they are.
        train_labels: (N,) or None.
        test_labels: (N,) or None.
        seed: Of samples, spoiling and classifiers.
        train_factors: (N, F) the factors that made the training data, or None.
        test_factors: (N, F) of the held-out data, or None.
        train_condition: (N, C) what the training data are conditioned on, or None.
        test_condition: (N, C) the same of the held-out data.
        features: (N, *D) data -> (N, F) features, in whose distances data are judged; None takes
            the elements themselves, each column of a table over its spread.
        numbers: (N,) which datum each is, from 0; None where they are in their order.
        numbered: Of what: the data as they were read, or their held-out part.
    """

    units: Units
    train: Floats
    test: Floats
    clean: Floats
    train_labels: NDArray[np.int64] | None
    test_labels: NDArray[np.int64] | None
    seed: int = 0
    train_factors: NDArray[np.int64] | None = None
    test_factors: NDArray[np.int64] | None = None
    train_condition: Floats | None = None
    test_condition: Floats | None = None
    features: Callable[[Floats], Floats] | None = None
    numbers: NDArray[np.int64] | None = None
    numbered: str = OF_THE_PART

    @cached_property
    def spoiled(self) -> Floats:
        """Held-out data, the first ones, with a share of each datum's elements taken from another.

        Right one by one, wrong together.
        """
        random = np.random.default_rng(self.seed)
        test = self.test[:SPOILED_ROWS]
        others = test[random.permutation(len(test))]
        return np.where(random.random(test.shape) < SPOILED_SHARE, others, test)

    @property
    def by_column(self) -> bool:
        """Whether an element is a column with a scale of its own."""
        return self.units.spec.kind in COLUMNAR_KINDS

    @cached_property
    def spread(self) -> Floats:
        """The spread by which an element's error is judged: columns have units of their own."""
        if not self.by_column:
            return np.ones(())
        spread = self.train.std(0)
        return np.where(spread > 0, spread, 1.0)


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
        words: Sentences that the figures call for, such as a diagnosis.
    """

    values: dict[str, Estimate] = field(default_factory=dict)
    per_datum: dict[str, Floats] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    why_missing: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def take(self, other: Answers) -> None:
        """Add another's figures to these."""
        self.values |= other.values
        self.per_datum |= other.per_datum
        self.arrays |= other.arrays
        self.why_missing |= other.why_missing
        self.words += other.words


@final
class Subject:
    """One candidate before one question; what several measures read is computed once.

    Args:
        candidate: A learned model or a classical method.
        question: The data.
    """

    def __init__(self, candidate: Candidate, question: Question) -> None:
        self.candidate = candidate
        self.question = question

    @cached_property
    def codes(self) -> Floats:
        """(N, Z) of the held-out data."""
        return self.candidate.encode(self.question.test, self.condition)

    @cached_property
    def integers(self) -> NDArray[np.int64] | None:
        """(N, P) the held-out data's codes as integers, or None where they are real numbers."""
        model = self.candidate.model
        if model is None or not isinstance(model.posterior, DiscretePosterior):
            return None
        if not model.posterior.has_mode:
            return None
        x = tensor_for(model, self.question.test)
        found = model.encode(x, "argmax", condition=self.given(len(x)))
        integers: NDArray[np.int64] = found.flatten(1).cpu().numpy()
        return integers

    @cached_property
    def train_codes(self) -> Floats:
        """(N, Z) of the training data."""
        told = self.question.train_condition if self.candidate.conditional else None
        return self.candidate.encode(self.question.train, told)

    @cached_property
    def rebuilt(self) -> Floats:
        """(N, *D) the held-out data rebuilt from their codes, in the data's own values."""
        decoded = self.candidate.decode(self.codes, self.condition)
        return self.question.units.centred(decoded)

    @cached_property
    def real(self) -> Floats:
        """(n, *D) held-out data for the tests of samples, as they are."""
        return self.question.clean[:SAMPLE_ROWS]

    @cached_property
    def drawn(self) -> Floats:
        """(n, *D) as many new data, as values that the data could have; of a conditional model
        under the conditions of the held-out ones.
        """
        n = len(self.real)
        new = self.candidate.draw(n, self.question.seed, self.condition_of(n))
        return self.question.units.settled(new)

    @cached_property
    def bound(self) -> tuple[Floats, Floats]:
        """(N,) rate and distortion of held-out data, as many as the bound looks at.

        Raises:
            UnsupportedError: The candidate has no density.
        """
        x = self.question.test[:BOUND_ROWS]
        told = self.condition_of(len(x))
        return self.density.rate(x, told), self.density.distortion(x, told)

    @property
    def density(self) -> Density:
        """What the candidate's density says.

        Raises:
            UnsupportedError: It has none.
        """
        if self.candidate.density is None:
            raise UnsupportedError(self.candidate.why_no_density)
        return self.candidate.density

    @cached_property
    def likely(self) -> Importance:
        """Log p(x) (n,) of the first held-out data, in nats and the units of the comparison.

        Raises:
            UnsupportedError: The candidate has no density.
        """
        density, x = self.density, self.question.test[:DENSITY_ROWS]
        if density.importance is not None:
            return density.importance(x, self.condition_of(len(x)))
        known = density.log_likelihood(x)
        return Importance(known, np.zeros_like(known), np.full_like(known, math.inf))

    @property
    def condition(self) -> Floats | None:
        """(N, C) what the candidate is told of the held-out data, or None where it asks nothing."""
        return self.question.test_condition if self.candidate.conditional else None

    def condition_of(self, n: int) -> Floats | None:
        """(n, C) the same of the first n."""
        return None if self.condition is None else self.condition[:n]

    def given(self, n: int) -> Tensor | None:
        """(n, C) the same, as the model takes it."""
        told = self.condition_of(n)
        return None if told is None else tensor_for(self.model, told)

    @property
    def model(self) -> LatentModel:
        """The learned model.

        Raises:
            UnsupportedError: The candidate is a baseline.
        """
        if self.candidate.model is None:
            raise UnsupportedError(f"{self.candidate.name} is no model with an encoder and decoder")
        return self.candidate.model

    @property
    def labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N,) of the training and of the held-out data.

        Raises:
            UnsupportedError: The data have none.
        """
        question = self.question
        if question.train_labels is None or question.test_labels is None:
            raise UnsupportedError("the data have no labels")
        return question.train_labels, question.test_labels

    @property
    def factors(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N, F) of the training and of the held-out data.

        Raises:
            UnsupportedError: The data have none.
        """
        question = self.question
        if question.train_factors is None or question.test_factors is None:
            raise UnsupportedError("the data have no known factors")
        return question.train_factors, question.test_factors

    def features(self, x: Floats) -> Floats:
        """(N, F) of data (N, *D): what distances between data are taken in."""
        chosen = self.question.features
        found = x / self.question.spread if chosen is None else np.asarray(chosen(x))
        return found.reshape(len(x), -1)

    def error(self, x: Floats) -> Floats:
        """(N,) squared error of x rebuilt, relative to each column's spread in a table.

        Args:
            x: (N, *D) the first held-out data, or the same spoiled.
        """
        told = self.condition_of(len(x))
        rebuilt = self.candidate.decode(self.candidate.encode(x, told), told)
        result: Floats = np.square((rebuilt - x) / self.question.spread).reshape(len(x), -1).sum(1)
        return result
