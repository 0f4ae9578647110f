"""How usual a datum is to a trained model: what an outlier score asks, and of what.

Every score is higher for the more usual datum, as scikit-learn has it. It speaks to anything that
answers as a `Trained` model does: an estimator, or a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.registry import Registry

SCORES = Registry("outlier score")
Floats = NDArray[np.floating[Any]]


class Trained(Protocol):
    """What a score asks of a trained model, in scikit-learn's words.

    The condition (N, C) of a conditional model comes by keyword, and to no other model.
    """

    def transform(self, X: Any, condition: Any = None) -> Any:
        """The mean codes (N, Z) of rows (N, F)."""

    def inverse_transform(self, X: Any, condition: Any = None) -> Any:
        """The rows (N, F) that codes (N, Z) stand for."""

    def score_samples(self, X: Any, *, condition: Any = None) -> Any:
        """The log density of rows (N, F): (N,) nats."""

    def rates(self, X: Any, condition: Any = None) -> Any:
        """KL(q(z|x) ‖ p(z)) of rows (N, F): (N,) nats."""


class OutlierScore(ABC):
    """What is asked of a trained model about new data.

    Attributes:
        needs_density: Whether it asks for a posterior with a density.
        by_distance: Whether it measures distances between rows, so that a column counts for as much
            as it scatters.
        of_known: (N,) what `usual` says of the rows that `fit` looked at, where that had to be
            found out for it; else None.
    """

    needs_density = False
    by_distance = False
    of_known: Floats | None = None

    @abstractmethod
    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        """Look at the model's training data (N, F) once, given their conditions (N, C)."""

    @abstractmethod
    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        """How usual each row of X (N, F) is, given (N, C): (N,), higher for the more usual."""


def needs_density(score: Any) -> bool:
    """Whether a class of scores asks for a density."""
    return bool(score.needs_density)


def rebuilt(model: Trained, X: Floats, condition: Any = None) -> Floats:
    """Rows of data (N, F) after the mean code and back: (N, F)."""
    given = told(condition)
    back: Floats = model.inverse_transform(model.transform(X, **given), **given)
    return back


def told(condition: Any) -> dict[str, Any]:
    """The condition as an estimator is given it, and nothing where there is none."""
    return {} if condition is None else {"condition": condition}
