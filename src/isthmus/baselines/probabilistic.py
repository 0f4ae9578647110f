"""What the classical methods that are linear-Gaussian models answer alike."""

from __future__ import annotations

from abc import ABC

from isthmus.baselines.base import (
    Baseline,
    CanSample,
    Floats,
    HasDensity,
    HasPosterior,
    not_fitted,
    rows_of,
)
from isthmus.baselines.linear_gaussian import LinearGaussian


class LinearGaussianBaseline(Baseline, HasDensity, HasPosterior, CanSample, ABC):
    """A method whose density, posterior and samples are those of the model that `fit` learns.

    Args:
        latent_dim: Z; fewer where the data allow fewer.
        seed: Seeds the solver where it is randomised.
    """

    _model: LinearGaussian | None = None

    def log_likelihood(self, x: Floats) -> Floats:
        model = self._learned()
        return model.log_likelihood(rows_of(x, model.mean.size, "data"))

    def posterior(self, x: Floats) -> tuple[Floats, Floats]:
        model = self._learned()
        return model.posterior_mean(rows_of(x, model.mean.size, "data")), model.covariance

    def rate(self, x: Floats) -> Floats:
        model = self._learned()
        return model.rate(rows_of(x, model.mean.size, "data"))

    def distortion(self, x: Floats) -> Floats:
        model = self._learned()
        return model.distortion(rows_of(x, model.mean.size, "data"))

    def sample(self, n: int, seed: int) -> Floats:
        return self._learned().sample(n, seed)

    def _learned(self) -> LinearGaussian:
        if self._model is None:
            raise not_fitted(self.name)
        return self._model
