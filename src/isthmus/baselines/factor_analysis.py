"""Maximum-likelihood factor analysis."""

from __future__ import annotations

from typing import Any, ClassVar, Self, final

import numpy as np

from isthmus.baselines.base import (
    BASELINES,
    Floats,
    clipped,
    rows_of,
    training_matrix,
    varying,
)
from isthmus.baselines.convergence import noted
from isthmus.baselines.linear_gaussian import LinearGaussian
from isthmus.baselines.probabilistic import LinearGaussianBaseline

NOISE_FLOOR = 1e-6
EXACT_COLUMNS = 256
TOLERANCE = 1e-2
MAX_ITERATIONS = 1000


@final
@BASELINES.register("factor-analysis", paper="Barber, BRML, algorithm 21.1", year=2012)
class FactorAnalysis(LinearGaussianBaseline):
    """Factor analysis: a linear-Gaussian model whose columns have noise of their own.

    x = mean + W z + e, with z ~ N(0, I), e ~ N(0, diag(psi)), fitted by maximum likelihood. Codes
    are posterior means. A column that never varies says nothing of its noise and is given the
    median noise variance of the others.

    Args:
        latent_dim: Z, the number of factors; fewer where there are fewer rows or columns.
        seed: Seeds the solver where it is randomised (beyond 256 columns).

    Reference:
        Barber, Bayesian Reasoning and Machine Learning, 2012, algorithm 21.1.
    """

    name: ClassVar[str] = "factor-analysis"

    def fit(self, x: Floats) -> Self:
        x = training_matrix(x)
        n, columns = x.shape
        self.latent_dim, clip_notes = clipped(self._asked, min(n - 1, columns))
        mean = x.mean(axis=0)
        fitted, convergence_notes = noted(lambda: self._solve(x - mean), "Factor analysis")
        noise, noise_notes = _bounded(fitted.noise_variance_, x)
        self._model = LinearGaussian(mean, np.ascontiguousarray(fitted.components_.T), noise)
        self.n_parameters = 2 * columns + columns * self.latent_dim
        self.notes = clip_notes + convergence_notes + noise_notes
        return self

    def encode(self, x: Floats) -> Floats:
        model = self._learned()
        return model.posterior_mean(rows_of(x, model.mean.size, "data"))

    def decode(self, z: Floats) -> Floats:
        model = self._learned()
        return np.asarray(model.mean + rows_of(z, self.latent_dim, "codes") @ model.loading.T)

    def _solve(self, centred: Floats) -> Any:
        from sklearn.decomposition import FactorAnalysis as Solver

        rows = _few_rows(centred)
        return Solver(
            self.latent_dim,
            # The solver stops by the likelihood summed over its rows.
            tol=TOLERANCE * len(rows) / len(centred),
            max_iter=MAX_ITERATIONS,
            svd_method="lapack" if centred.shape[1] <= EXACT_COLUMNS else "randomized",
            random_state=self._seed,
        ).fit(rows)


def _few_rows(centred: Floats) -> Floats:
    """At most 2 D rows of zero mean with the covariance of `centred` (N, D).

    The likelihood knows the data by mean and covariance alone, so the solver needs no more.
    """
    n, columns = centred.shape
    if n <= 2 * columns:
        return centred
    values, vectors = np.linalg.eigh(centred.T @ centred / n)
    root = np.sqrt(columns * np.maximum(values, 0))[:, None] * vectors.T
    return np.concatenate([root, -root])


def _bounded(noise: Floats, x: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Noise variances (D,) that give `x` a bounded density, and notes of what was raised."""
    varies = varying(x)
    floor = NOISE_FLOOR * x.var(axis=0)
    low = varies & (noise < floor)
    noise = np.where(low, floor, noise)
    noise = np.where(varies, noise, np.median(noise[varies]))
    notes: tuple[str, ...] = ()
    if low.any():
        notes += (
            f"{low.sum()} columns are explained without noise; its variance was raised to "
            f"{NOISE_FLOOR:g} of theirs, and log p(x) depends on that choice.",
        )
    if not varies.all():
        notes += (
            f"{(~varies).sum()} columns are constant; they were given the median noise variance "
            "of the others.",
        )
    return noise, notes
