"""What a trained estimator answers: codes, data, classes and densities."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from isthmus.classification import class_probabilities
from isthmus.conditions import needs_condition
from isthmus.data import DataSpec
from isthmus.errors import DataError
from isthmus.estimators.answers import answering, log_likelihood_by_row, rate_by_row
from isthmus.estimators.available import has_classes, has_density, of_gaps, reads_gaps
from isthmus.estimators.conditions import coded
from isthmus.estimators.parameters import check_whole
from isthmus.estimators.rows import check_covered, datum_shape, parts
from isthmus.metrics import r2
from isthmus.model import LatentModel
from isthmus.posteriors import ToldPosterior, code_shape, gives_integers

Floats = NDArray[np.floating[Any]]
DTYPES = (np.float64, np.float32)
# Rows that are asked about in one pass.
PART = 1024


class TrainedEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """The questions to a model that `fit` of a `LatentEstimator` left in `model_` and `spec_`."""

    model_: LatentModel
    spec_: DataSpec
    classes_: NDArray[Any]
    encode_mode: str
    n_samples: int
    device: str
    threads: int | str
    shape: Sequence[int] | None
    random_state: int | RandomState | None
    _seed: int

    @abstractmethod
    def _choice(self) -> tuple[str, dict[str, Any]]:
        """The recipe's name, and the options of its own that are parameters of this class."""

    def transform(self, X: Any, condition: Any = None) -> Floats:
        """The codes of X by `encode_mode`.

        Args:
            X: (N, F).
            condition: As `fit` had it, or one value for all rows; for a conditional recipe.

        Returns:
            (N, Z), of X's precision.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        mode = self.encode_mode
        return self._answer(
            X,
            self.spec_.shape,
            lambda model, x, given: model.encode(x, mode, condition=given).flatten(1),
            condition,
        )

    def inverse_transform(self, X: Any, condition: Any = None) -> Floats:
        """Data from codes: the mean of p(x|z).

        Args:
            X: (N, Z) codes.
            condition: As `transform` takes it; another than the codes were made under asks what
                the data would have been under it.

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
            lambda model, z, given: model.decode(z.long() if whole else z, condition=given).flatten(
                1
            ),
            condition,
        )

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | RandomState | None = None,
        *,
        mode: str | None = None,
        condition: Any = None,
    ) -> Floats:
        """New data: z ~ p(z), then x from p(x|z).

        Args:
            n_samples: How many.
            random_state: Of the draws; the estimator's own where it is None.
            mode: A "sample" from p(x|z), its "mean" or its "argmax"; None takes "sample", or "mean"
                for a recipe without a density, which has not learned how p(x|z) scatters.
            condition: One value for all, or (n_samples,) values, for a conditional recipe.

        Returns:
            (n_samples, F) float64.
        """
        check_is_fitted(self)
        check_whole("n_samples", n_samples)
        chance = check_random_state(self.random_state if random_state is None else random_state)
        seed = int(chance.randint(np.iinfo(np.int32).max))
        chosen = mode or ("sample" if self.model_.posterior.has_density else "mean")
        with self._ready(np.dtype(np.float64), seed) as model:
            given = self._coded(condition, int(n_samples), model)
            x = model.sample(int(n_samples), chosen, condition=given)
            drawn: Floats = x.flatten(1).cpu().numpy()
        return drawn

    @available_if(has_classes)
    def predict_proba(self, X: Any) -> Floats:
        """q(y|x) of each row: of the classes `classes_`, or of the clusters that the recipe found.

        Args:
            X: (N, F).

        Returns:
            (N, K), rows that sum to 1.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return self._answer(X, self.spec_.shape, lambda model, x, _: class_probabilities(model, x))

    @available_if(has_classes)
    def predict(self, X: Any) -> Any:
        """The likeliest class of each row, of `classes_`; or the number of its cluster.

        Args:
            X: (N, F).

        Returns:
            (N,).
        """
        likeliest = self.predict_proba(X).argmax(1)
        labelled = isinstance(self.model_.posterior, ToldPosterior)
        return self.classes_[likeliest] if labelled else likeliest

    @available_if(has_density)
    def score_samples(self, X: Any, n_samples: int | None = None, condition: Any = None) -> Floats:
        """The density log p(x) of each row, by importance sampling.

        A lower bound in expectation that tightens with the samples. The noise of a row is a
        function of its numbers, so the answer is always the same.

        Args:
            X: (N, F).
            n_samples: Importance samples per row; the parameter `n_samples` where it is None.
            condition: As `transform` takes it.

        Returns:
            (N,) nats, a density in the data's own units.

        Raises:
            DataError: Values that the likelihood gives no density, such as negative counts.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        check_covered(X, self.model_.likelihood.supports)
        samples = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", samples)
        return self._answer(
            X,
            self.spec_.shape,
            lambda model, x, given: log_likelihood_by_row(model, x, int(samples), given),
            condition,
        )

    @available_if(has_density)
    def rates(self, X: Any, condition: Any = None) -> Floats:
        """The rate KL(q(z|x) ‖ p(z)) of each row: how far from the prior it is coded.

        By 16 draws of the code, a function of the row's numbers, where there is no closed form.

        Args:
            X: (N, F).
            condition: As `transform` takes it.

        Returns:
            (N,) nats.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return self._answer(X, self.spec_.shape, rate_by_row, condition)

    def score(self, X: Any, y: Any = None, condition: Any = None) -> float:
        """How good the model is on X, more being better.

        The mean of `score_samples`; for a recipe without a density, whose codes are points (ae),
        the R² of the reconstruction over all columns together.

        Args:
            X: (N, F).
            y: Ignored.
            condition: As `transform` takes it.
        """
        check_is_fitted(self)
        if self.model_.posterior.has_density:
            return float(np.mean(self.score_samples(X, condition=condition)))
        X = self._validated(X, reset=False)
        rebuilt = self._answer(
            X,
            self.spec_.shape,
            lambda model, x, given: model.reconstruct(x, self.encode_mode, condition=given).flatten(
                1
            ),
            condition,
        )
        whole = np.concatenate([part.flatten(1).numpy() for part in parts(X, self.spec_.shape)])
        return r2(whole, rebuilt)

    @available_if(reads_gaps)
    def impute(
        self,
        X: Any,
        n_samples: int | None = None,
        random_state: int | RandomState | None = None,
        *,
        mode: str = "mean",
        condition: Any = None,
    ) -> Floats:
        """X with its gaps (NaN) filled in; what was observed stays as it is.

        Of the recipe miwae-imputation, fitted to data with gaps. A gap gets what the model expects
        there given the observed elements of its row, or a draw of it: several draws, of different
        `random_state`, are multiple imputations.

        Args:
            X: (N, F), NaN where an element is missing.
            n_samples: Importance samples per row; the parameter `n_samples` where it is None.
            random_state: Of the samples; the estimator's own where it is None, so that the same X
                is filled the same way.
            mode: "mean" or "sample".
            condition: As `transform` takes it.

        Returns:
            (N, F), of X's precision.

        Raises:
            UnknownNameError: There is no such mode.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        samples = self.n_samples if n_samples is None else n_samples
        check_whole("n_samples", samples)
        seed = self._seed
        if random_state is not None:
            seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        return self._answer(
            X,
            self.spec_.shape,
            lambda model, x, given: model.impute(x, int(samples), mode, condition=given).flatten(1),
            condition,
            seed,
        )

    def _reads_gaps(self) -> bool:
        """Whether rows may have gaps: of the trained model, or of its recipe before."""
        spec: DataSpec | None = getattr(self, "spec_", None)
        return of_gaps(self._choice()[0]) if spec is None else spec.missing

    @property
    def _n_features_out(self) -> int:
        """The width of a code, which `get_feature_names_out` numbers."""
        return math.prod(code_shape(self.model_.posterior, self.encode_mode))

    def _validated(self, X: Any, *, reset: bool) -> Any:
        least = 2 if reset else 1
        gaps = of_gaps(self._choice()[0]) if reset else self._reads_gaps()
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=DTYPES,
            ensure_min_samples=least,
            ensure_all_finite="allow-nan" if gaps else True,
        )
        datum_shape(self.shape, X.shape[1])
        return X

    def _ready(self, dtype: np.dtype[Any], seed: int) -> Any:
        return answering(self.model_, dtype, self.device, self.threads, seed)

    def _coded(self, condition: Any, rows: int, model: LatentModel) -> Tensor | None:
        """What `rows` data are conditioned on, as the model reads it, where the model lies."""
        if condition is None:
            return None
        told = self.spec_.condition
        found = coded(condition, told, rows, unknown=not needs_condition(model))
        return found.to(next(model.parameters()))

    def _answer(
        self,
        X: Any,
        shape: Sequence[int],
        ask: Callable[[LatentModel, Tensor, Tensor | None], Tensor],
        condition: Any = None,
        seed: int | None = None,
    ) -> Floats:
        """What the model says of the rows of X, part by part, at X's precision."""
        with self._ready(X.dtype, self._seed if seed is None else seed) as model:
            device = next(model.parameters()).device
            given = self._coded(condition, X.shape[0], model)
            told = repeat(None) if given is None else given.split(PART)
            answers = [
                ask(model, x.to(device), c).cpu().numpy()
                for x, c in zip(parts(X, shape, PART), told, strict=False)
            ]
        joined: Floats = np.concatenate(answers)
        return joined
