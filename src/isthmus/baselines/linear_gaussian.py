"""The linear-Gaussian latent model, for which everything has a closed form.

    z ~ N(0, I)        x | z ~ N(mean + loading z, diag(noise))

Probabilistic PCA has one noise variance for all columns, factor analysis has one for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from isthmus.baselines.base import Floats

LOG_2_PI = float(np.log(2 * np.pi))


@final
@dataclass(frozen=True)
class LinearGaussian:
    """A linear-Gaussian model with all its numbers known.

    Args:
        mean: (D,).
        loading: (D, Z).
        noise: (D,) variances, all positive.

    Reference:
        Tipping and Bishop, Probabilistic Principal Component Analysis, JRSS B 61, 1999.
    """

    mean: Floats
    loading: Floats
    noise: Floats

    @cached_property
    def _scaled(self) -> Floats:
        """diag(noise)^-1 loading, (D, Z)."""
        return np.asarray(self.loading / self.noise[:, None])

    @cached_property
    def precision(self) -> Floats:
        """The posterior's precision I + loading' diag(noise)^-1 loading, (Z, Z)."""
        return np.asarray(np.eye(self.loading.shape[1]) + self.loading.T @ self._scaled)

    @cached_property
    def covariance(self) -> Floats:
        """The posterior's covariance, (Z, Z); the same for every datum."""
        return np.asarray(np.linalg.inv(self.precision))

    @cached_property
    def _log_det_precision(self) -> float:
        return float(np.linalg.slogdet(self.precision)[1])

    def posterior_mean(self, x: Floats) -> Floats:
        """E[z|x]: (N, D) -> (N, Z)."""
        return np.asarray(np.linalg.solve(self.precision, self._scaled.T @ (x - self.mean).T).T)

    def log_likelihood(self, x: Floats) -> Floats:
        """The density log p(x) in nats: (N, D) -> (N,)."""
        z = self.posterior_mean(x)
        # The Mahalanobis distance as a sum of squares: nothing cancels when the noise is small.
        square = self._weighted_error(x, z) + (z**2).sum(axis=1)
        log_det = np.log(self.noise).sum() + self._log_det_precision
        return np.asarray(-0.5 * (len(self.mean) * LOG_2_PI + log_det + square))

    def rate(self, x: Floats) -> Floats:
        """KL(p(z|x) ‖ N(0, I)) in nats: (N, D) -> (N,)."""
        z = self.posterior_mean(x)
        constant = np.trace(self.covariance) - z.shape[1] + self._log_det_precision
        return np.asarray(0.5 * (constant + (z**2).sum(axis=1)))

    def distortion(self, x: Floats) -> Floats:
        """E[-log p(x|z)] over p(z|x), in nats: (N, D) -> (N,)."""
        error = self._weighted_error(x, self.posterior_mean(x))
        spread = np.sum((self.loading.T @ self._scaled) * self.covariance)
        constant = len(self.mean) * LOG_2_PI + np.log(self.noise).sum() + spread
        return np.asarray(0.5 * (constant + error))

    def sample(self, n: int, seed: int) -> Floats:
        """`n` draws from p(x), noise included: (n, D)."""
        random = np.random.default_rng(seed)
        z = random.standard_normal((n, self.loading.shape[1]))
        noise = np.sqrt(self.noise) * random.standard_normal((n, len(self.mean)))
        return np.asarray(self.mean + z @ self.loading.T + noise)

    def _weighted_error(self, x: Floats, z: Floats) -> Floats:
        """Squared error of decoding `z`, each column in units of its noise variance: (N,)."""
        error = x - self.mean - z @ self.loading.T
        return np.asarray((error**2 / self.noise).sum(axis=1))
