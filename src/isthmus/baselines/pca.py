"""Probabilistic principal component analysis."""

from __future__ import annotations

from typing import ClassVar, Self, final

import numpy as np

from isthmus.baselines.axes import PrincipalAxes, principal_axes
from isthmus.baselines.base import (
    BASELINES,
    Floats,
    not_fitted,
    rows_of,
    training_matrix,
)
from isthmus.baselines.linear_gaussian import LinearGaussian
from isthmus.baselines.probabilistic import LinearGaussianBaseline

NOISE_FLOOR = 1e-6


@final
@BASELINES.register("pca", paper="Tipping and Bishop, JRSS B 61", year=1999)
class ProbabilisticPCA(LinearGaussianBaseline):
    """Principal component analysis, with the density of its probabilistic form.

    x = mean + W z + e, with z ~ N(0, I), e ~ N(0, s² I): W spans the leading eigenvectors of the
    covariance and s² is the mean of the eigenvalues left out. Codes are the scores along the axes,
    which reconstruct best in squared error; `posterior` is that of z.

    Args:
        latent_dim: Z, the number of axes; fewer where the data vary along fewer.
        seed: Seeds the solver where it is randomised (beyond 1,000 columns).

    Reference:
        Tipping and Bishop, Probabilistic Principal Component Analysis, JRSS B 61, 1999.
    """

    name: ClassVar[str] = "pca"
    _axes: PrincipalAxes | None = None

    def fit(self, x: Floats) -> Self:
        x = training_matrix(x)
        axes = principal_axes(x, self._asked, self._seed)
        total = float(x.var(axis=0, ddof=1).mean())
        noise, notes = axes.noise, axes.notes
        if noise < NOISE_FLOOR * total:
            noise = NOISE_FLOOR * total
            notes += (
                f"The axes leave no variance, so the density has no bound: its noise variance was "
                f"raised to {noise:.3g}, and log p(x) depends on that choice.",
            )
        scale = np.sqrt(np.maximum(axes.variances - noise, 0))
        self._axes = axes
        self._model = LinearGaussian(
            axes.mean, axes.directions.T * scale, np.full(x.shape[1], noise)
        )
        self.latent_dim = len(axes.variances)
        self.n_parameters = axes.mean.size + axes.directions.size + axes.variances.size + 1
        self.notes = notes
        return self

    def encode(self, x: Floats) -> Floats:
        axes = self._learned_axes()
        return axes.project(rows_of(x, axes.mean.size, "data"))

    def decode(self, z: Floats) -> Floats:
        return self._learned_axes().restore(rows_of(z, self.latent_dim, "codes"))

    def _learned_axes(self) -> PrincipalAxes:
        if self._axes is None:
            raise not_fitted(self.name)
        return self._axes
