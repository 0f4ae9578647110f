"""What all estimators share: the scikit-learn protocol over `fitting.fit` and `LatentModel`."""

from __future__ import annotations

import sys
from abc import ABC
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.utils import check_random_state

from isthmus.errors import OptionError
from isthmus.estimators.answers import TWO_CLASSES, smallest
from isthmus.estimators.available import of_gaps
from isthmus.estimators.conditions import conditioned, labelled
from isthmus.estimators.parameters import check_whole, check_widths, plain
from isthmus.estimators.rows import TrainingRows, source_of
from isthmus.estimators.trained import DTYPES, Floats, TrainedEstimator
from isthmus.fitting import Split, fit
from isthmus.posteriors import ENCODE_MODES, ToldPosterior
from isthmus.training import ProgressBar

# Parameters that `fitting.fit` takes by the same name.
PASSED_ON = (
    *("latent_dim", "network", "hidden", "likelihood"),
    *("epochs", "minutes", "batch_size", "lr", "device", "threads"),
)


class LatentEstimator(TrainedEstimator, ABC):
    """A latent variable model as a scikit-learn transformer; see `Autoencoder` for its parameters.

    The constructor only stores, `fit` checks. Torch's random state is left alone.

    Attributes:
        model_: The trained `LatentModel`, on the CPU.
        spec_: What was known of the data.
        history_: What was measured on the way.
        n_iter_: Optimiser steps taken.
        notes_: What was handled on the way, in words.
        n_features_in_: F.
        feature_names_in_: Names of the columns, for frames.
        classes_: The labels, in the order of `predict_proba`; of the recipe m2 alone.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        *,
        epochs: int | None = None,
        minutes: float | None = None,
        batch_size: int = 128,
        lr: float = 2e-3,
        network: str = "auto",
        hidden: Sequence[int] | None = None,
        likelihood: str = "auto",
        shape: Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
        encode_mode: str = "mean",
        n_samples: int = 100,
        validation_fraction: float = 0.1,
        device: str = "auto",
        threads: int | str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.epochs = epochs
        self.minutes = minutes
        self.batch_size = batch_size
        self.lr = lr
        self.network = network
        self.hidden = hidden
        self.likelihood = likelihood
        self.shape = shape
        self.options = options
        self.encode_mode = encode_mode
        self.n_samples = n_samples
        self.validation_fraction = validation_fraction
        self.device = device
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, condition: Any = None) -> Self:
        """Train on the rows of X.

        Args:
            X: (N, F) numbers: an array, a pandas or polars frame, or a scipy sparse matrix; NaN
                where an element is missing, for the recipe miwae-imputation.
            y: (N,) labels for the recipe m2, -1 where unknown; any other ignores them.
            condition: (N,) or (N, columns) for a recipe such as cvae: text is read as categories,
                numbers are standardised.

        Raises:
            OptionError: A parameter has a value that cannot work.
            UnknownNameError: A recipe, network, likelihood, mode or option that does not exist.
            TrainingError: A loss became NaN or infinite.
        """
        X = self._validated(X, reset=True)
        recipe, _ = self._choice()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self._check_questions(recipe)
        names = getattr(self, "feature_names_in_", ())
        source = source_of(X, self.shape, self.likelihood, names, missing=of_gaps(recipe))
        if isinstance(smallest(recipe).posterior, ToldPosterior):
            source, self.classes_ = labelled(source, y if condition is None else condition, recipe)
        elif condition is not None:
            source = conditioned(source, condition)
        run = fit(
            TrainingRows(source, self.validation_fraction),
            recipe,
            split=Split(seed),
            listeners=[ProgressBar(type(self).__name__)] if self.verbose else [],
            seed=seed,
            **self._options(),
        )
        self.model_ = run.model.to("cpu")
        self.spec_ = run.spec
        self.history_ = run.history
        self.notes_ = run.notes
        self.n_iter_ = int(run.history[-1]["step"])
        self._seed = seed
        if self.verbose:
            for note in self.notes_:
                print(f"{type(self).__name__}: {note}", file=sys.stderr)
        return self

    def fit_transform(self, X: Any, y: Any = None, condition: Any = None) -> Floats:
        """`fit`, then `transform` under the same condition."""
        return self.fit(X, y, condition).transform(X, condition)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._reads_gaps()
        tags.transformer_tags.preserves_dtype = [np.dtype(t).name for t in DTYPES]
        return tags

    def _check_questions(self, recipe: str) -> None:
        """Refuse before training what could not be answered after it."""
        check_whole("n_samples", self.n_samples)
        model = smallest(recipe)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            x, given = torch.zeros(1, *model.shape), torch.zeros(1, TWO_CLASSES.width)
            ENCODE_MODES[self.encode_mode].factory(model.posterior, model.infer(x, given))

    def _options(self) -> dict[str, Any]:
        """All options of the recipe and the training, the seed apart."""
        check_whole("latent_dim", self.latent_dim)
        check_widths(self.hidden)
        own = self._choice()[1]
        extra = self.options or {}
        for name in extra:
            if name in own or name in self.get_params(deep=False) or name == "seed":
                parameter = "random_state" if name == "seed" else name
                raise OptionError(
                    f"options={{{name!r}: ...}} repeats a parameter of {type(self).__name__}: give "
                    f"{parameter}=... instead."
                )
        values = {name: getattr(self, name) for name in PASSED_ON} | own | extra
        return {name: plain(value) for name, value in values.items()}
