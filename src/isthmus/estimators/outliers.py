"""Outlier detection: any recipe and any of the scores as a scikit-learn outlier detector."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self, final

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from isthmus.errors import OptionError
from isthmus.estimators.answers import smallest
from isthmus.estimators.models import Autoencoder
from isthmus.estimators.trained import Floats
from isthmus.outliers import SCORES, OutlierScore, needs_density
from isthmus.registry import RECIPES

# Parameters that `Autoencoder` takes by the same name.
PASSED_ON = (
    *("batch_size", "lr", "hidden", "likelihood"),
    *("options", "n_samples", "device", "threads"),
)
WIDEST_CODE = 16
# A code that has not unfolded yet decodes everything to the middle, and the distance to the middle
# is a poor score; so few rows are gone over often.
STEPS = 2000
# Training rows that a score looks at, at most: the dearest takes the distance of each to each.
MOST_KNOWN = 20_000
FEWEST_EPOCHS, MOST_EPOCHS = 20, 1000


@final
class OutlierDetector(OutlierMixin, BaseEstimator):
    """Tells unusual rows from usual ones by a model that was trained on (mostly) usual ones.

    Columns are standardised by the training data first, so that the units of a column do not
    decide. Higher scores are more usual; a row whose `decision_function` is below 0 is an outlier.

    Args:
        recipe: As `isthmus recipes` lists it; not a conditional one. Four of the criteria ask for
            one with a density, such as vae.
        criterion: By what a row is judged. "neighbours": the distances to the five nearest training
            rows and to the five nearest reconstructions of training rows; "ensemble": these and an
            isolation forest of rows, codes and errors; "reconstruction": the squared error;
            "likelihood": log p(x); "kl": the rate of the code; "likelihood-ratio": log p(x) against
            a background of independent columns; "latent": the Gaussian density of the code;
            "typicality": how far log p(x) is from what is typical.
        contamination: Share of the training rows that are to be called outliers: above 0, at
            most 0.5.
        latent_dim: Z; None takes half the columns, at least 1 and at most 16.
        epochs: Passes over the data; None takes as many as make 2,000 steps, from 20 to 1,000.
        batch_size: Rows per step.
        lr: The peak learning rate.
        hidden: Widths of the hidden layers.
        likelihood: p(x|z) by name; auto takes the one that fits the values.
        options: Further options of the recipe and settings of the training.
        n_samples: Importance samples of log p(x) per row.
        standardise: False takes the columns as they are.
        device: auto, cpu, cuda, cuda:1, mps.
        threads: CPU threads; auto measures.
        random_state: Of initialisation, split, order and noise.

    Attributes:
        autoencoder_: The trained `Autoencoder`, of standardised columns.
        offset_: `decision_function` is `score_samples` less this.
        n_features_in_: F.
        feature_names_in_: Names of the columns, for frames.
        n_iter_: Optimiser steps taken.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> detector = OutlierDetector(epochs=5, random_state=0).fit(X)
        >>> detector.predict(X + [0, 0, 0, 100]).max()
        -1
    """

    def __init__(
        self,
        recipe: str = "ae",
        criterion: str = "ensemble",
        *,
        contamination: float = 0.1,
        latent_dim: int | None = None,
        epochs: int | None = None,
        batch_size: int = 64,
        lr: float = 2e-3,
        hidden: Sequence[int] | None = (64, 32),
        likelihood: str = "auto",
        options: dict[str, Any] | None = None,
        n_samples: int = 100,
        standardise: bool = True,
        device: str = "auto",
        threads: int | str = "auto",
        random_state: int | RandomState | None = None,
    ) -> None:
        self.recipe = recipe
        self.criterion = criterion
        self.contamination = contamination
        self.latent_dim = latent_dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.hidden = hidden
        self.likelihood = likelihood
        self.options = options
        self.n_samples = n_samples
        self.standardise = standardise
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the rows of X, and set the threshold by them.

        Args:
            X: (N, F) numbers: an array or a frame.
            y: Ignored.

        Raises:
            OptionError: A parameter has a value that cannot work.
            UnknownNameError: A recipe or criterion that does not exist.
            TrainingError: A loss became NaN or infinite.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        score = self._checked_score()
        self._scaler: StandardScaler | None = StandardScaler().fit(X) if self.standardise else None
        rows = self._scaled(X)
        self.autoencoder_ = self._autoencoder(*X.shape).fit(rows)
        self.n_iter_ = self.autoencoder_.n_iter_
        known = rows[some_of(len(rows), MOST_KNOWN)]
        self._score = score.fit(self.autoencoder_, known)
        usual = self._score.of_known
        if usual is None:
            usual = self._score.usual(self.autoencoder_, known)
        self.offset_ = float(np.percentile(usual, 100.0 * self.contamination))
        return self

    def score_samples(self, X: Any) -> Floats:
        """How usual each row of X (N, F) is: (N,), higher for the more usual."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._score.usual(self.autoencoder_, self._scaled(X))

    def decision_function(self, X: Any) -> Floats:
        """`score_samples` less the threshold: (N,), below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """-1 for outliers, 1 for the others: (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _scaled(self, X: Floats) -> Floats:
        scaled: Floats = X if self._scaler is None else self._scaler.transform(X)
        return scaled

    def _autoencoder(self, rows: int, columns: int) -> Autoencoder:
        width, epochs = self.latent_dim, self.epochs
        if width is None:
            width = min(max(columns // 2, 1), WIDEST_CODE)
        if epochs is None:
            wanted = -(-STEPS * self.batch_size // rows)
            epochs = min(max(wanted, FEWEST_EPOCHS), MOST_EPOCHS)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        passed = {name: getattr(self, name) for name in PASSED_ON}
        return Autoencoder(self.recipe, width, epochs=epochs, random_state=seed, **passed)

    def _checked_score(self) -> OutlierScore:
        if not isinstance(self.contamination, Real) or not 0 < float(self.contamination) <= 0.5:
            raise OptionError(
                f"contamination={self.contamination!r} is not a share of outliers: give more than "
                "0 and at most 0.5."
            )
        if RECIPES[self.recipe].about["condition"]:
            raise OptionError(
                f"The recipe {self.recipe!r} needs a condition for every row, which an outlier "
                "detector is not given: use vae."
            )
        score: OutlierScore = SCORES.create(self.criterion)
        if score.needs_density and not smallest(self.recipe).posterior.has_density:
            able = ", ".join(e.name for e in SCORES if not needs_density(e.factory))
            raise OptionError(
                f"criterion={self.criterion!r} asks how likely a row is, and the recipe "
                f"{self.recipe!r} gives it no probability: use the recipe vae, or one of the "
                f"criteria {able}."
            )
        return score


def some_of(rows: int, most: int) -> NDArray[np.int64]:
    """Which of so many rows are looked at: all, or as many as `most`, the same ones every time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])
