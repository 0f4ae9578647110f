"""What all estimators share: the scikit-learn protocol over `fitting.fit` and `LatentModel`."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from isthmus.errors import DataError, OptionError
from isthmus.estimators.answers import answering, log_likelihood_by_row, smallest
from isthmus.estimators.parameters import check_whole, check_widths, plain
from isthmus.estimators.rows import TrainingRows, datum_shape, parts, source_of
from isthmus.fitting import Split, fit
from isthmus.metrics import r2
from isthmus.model import LatentModel
from isthmus.posteriors import ENCODE_MODES, code_shape, gives_integers
from isthmus.training import ProgressBar

Floats = NDArray[np.floating[Any]]
DTYPES = (np.float64, np.float32)
# Parameters that `fitting.fit` takes by the same name.
PASSED_ON = (
    *("latent_dim", "network", "hidden", "likelihood"),
    *("epochs", "minutes", "batch_size", "lr", "device", "threads"),
)


def has_density(estimator: LatentEstimator) -> bool:
    """Whether log p(x) can be asked for: of the trained model, or of its recipe before."""
    model: LatentModel = getattr(estimator, "model_", None) or smallest(estimator._choice()[0])
    if not model.posterior.has_density:
        raise AttributeError(
            f"{type(estimator).__name__} has no score_samples, for its recipe "
            f"{estimator._choice()[0]!r} gives a datum no probability: use VAE, or score(X), which "
            "is then the R² of the reconstruction."
        )
    return True


class LatentEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
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

    @abstractmethod
    def _choice(self) -> tuple[str, dict[str, Any]]:
        """The recipe's name, and the options of its own that are parameters of this class."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the rows of X.

        Args:
            X: (N, F) numbers: an array, a pandas or polars frame, or a scipy sparse matrix.
            y: Ignored.

        Raises:
            OptionError: A parameter has a value that cannot work.
            UnknownNameError: A recipe, network, likelihood, mode or option that does not exist.
            TrainingError: A loss became NaN or infinite.
        """
        X = self._validated(X, reset=True)
        recipe, _ = self._choice()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self._check_questions(recipe)
        source = source_of(X, self.shape, self.likelihood, getattr(self, "feature_names_in_", ()))
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

    def transform(self, X: Any) -> Floats:
        """The codes of X by `encode_mode`.

        Args:
            X: (N, F).

        Returns:
            (N, Z), of X's precision.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        mode = self.encode_mode
        return self._answer(X, self.spec_.shape, lambda model, x: model.encode(x, mode).flatten(1))

    def inverse_transform(self, X: Any) -> Floats:
        """Data from codes: the mean of p(x|z).

        Args:
            X: (N, Z) codes.

        Returns:
            (N, F), of the codes' precision.

        Raises:
            DataError: The codes have another width than this model's.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=DTYPES)
        if codes.shape[1] != self._n_features_out:
            raise DataError(
                f"The codes have {codes.shape[1]} columns and this model's have "
                f"{self._n_features_out}: give what transform returned."
            )
        posterior, mode = self.model_.posterior, self.encode_mode
        whole = gives_integers(posterior, mode)
        return self._answer(
            codes,
            code_shape(posterior, mode),
            lambda model, z: model.decode(z.long() if whole else z).flatten(1),
        )

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | RandomState | None = None,
        *,
        mode: str | None = None,
    ) -> Floats:
        """New data: z ~ p(z), then x from p(x|z).

        Args:
            n_samples: How many.
            random_state: Of the draws; the estimator's own where it is None.
            mode: A "sample" from p(x|z), its "mean" or its "argmax"; None takes "sample", or "mean"
                for a recipe without a density, which has not learned how p(x|z) scatters.

        Returns:
            (n_samples, F) float64.
        """
        check_is_fitted(self)
        check_whole("n_samples", n_samples)
        chance = check_random_state(self.random_state if random_state is None else random_state)
        seed = int(chance.randint(np.iinfo(np.int32).max))
        chosen = mode or ("sample" if self.model_.posterior.has_density else "mean")
        with self._ready(np.dtype(np.float64), seed) as model:
            drawn: Floats = model.sample(int(n_samples), chosen).flatten(1).cpu().numpy()
        return drawn

    @available_if(has_density)
    def score_samples(self, X: Any, n_samples: int | None = None) -> Floats:
        """The density log p(x) of each row, by importance sampling.

        A lower bound in expectation that tightens with the samples. The noise of a row is a
        function of its numbers, so the answer is always the same.

        Args:
            X: (N, F).
            n_samples: Importance samples per row; the parameter `n_samples` where it is None.

        Returns:
            (N,) nats, a density in the data's own units.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        samples = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", samples)
        return self._answer(
            X, self.spec_.shape, lambda model, x: log_likelihood_by_row(model, x, int(samples))
        )

    def score(self, X: Any, y: Any = None) -> float:
        """How good the model is on X, more being better.

        The mean of `score_samples`; for a recipe without a density, whose codes are points (ae),
        the R² of the reconstruction over all columns together.

        Args:
            X: (N, F).
            y: Ignored.
        """
        check_is_fitted(self)
        if self.model_.posterior.has_density:
            return float(np.mean(self.score_samples(X)))
        X = self._validated(X, reset=False)
        rebuilt = self._answer(
            X,
            self.spec_.shape,
            lambda model, x: model.reconstruct(x, self.encode_mode).flatten(1),
        )
        whole = np.concatenate([part.flatten(1).numpy() for part in parts(X, self.spec_.shape)])
        return r2(whole, rebuilt)

    @property
    def _n_features_out(self) -> int:
        """The width of a code, which `get_feature_names_out` numbers."""
        return math.prod(code_shape(self.model_.posterior, self.encode_mode))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = [np.dtype(t).name for t in DTYPES]
        return tags

    def _validated(self, X: Any, *, reset: bool) -> Any:
        least = 2 if reset else 1
        X = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=DTYPES, ensure_min_samples=least
        )
        datum_shape(self.shape, X.shape[1])
        return X

    def _check_questions(self, recipe: str) -> None:
        """Refuse before training what could not be answered after it."""
        check_whole("n_samples", self.n_samples)
        model = smallest(recipe)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            ENCODE_MODES[self.encode_mode].factory(
                model.posterior, model.infer(torch.zeros(1, *model.shape))
            )

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

    def _ready(self, dtype: np.dtype[Any], seed: int) -> Any:
        return answering(self.model_, dtype, self.device, self.threads, seed)

    def _answer(
        self, X: Any, shape: Sequence[int], ask: Callable[[LatentModel, Tensor], Tensor]
    ) -> Floats:
        """What the model says of the rows of X, part by part, at X's precision."""
        with self._ready(X.dtype, self._seed) as model:
            device = next(model.parameters()).device
            answers = [ask(model, x.to(device)).cpu().numpy() for x in parts(X, shape)]
        joined: Floats = np.concatenate(answers)
        return joined
