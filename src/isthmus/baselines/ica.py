"""Independent component analysis."""

from __future__ import annotations

from typing import ClassVar, Self, final

import numpy as np

from isthmus.baselines.axes import PrincipalAxes, principal_axes
from isthmus.baselines.base import (
    BASELINES,
    Baseline,
    CanSample,
    Floats,
    not_fitted,
    rows_of,
    training_matrix,
)
from isthmus.baselines.convergence import noted

MAX_ITERATIONS = 500


@final
@BASELINES.register("ica", paper="Hyvärinen and Oja, Neural Networks 13", year=2000)
class IndependentComponents(Baseline, CanSample):
    """FastICA: the principal axes, turned until the codes are as independent as a turn allows.

    Codes have unit variance on the training data. It reconstructs exactly as PCA does, since the
    two differ by a turn and a scale. It has no density; samples draw every component on its own
    from the training codes and decode them.

    Args:
        latent_dim: Z, the number of components; fewer where the data vary along fewer axes.
        seed: Seeds the first turn.

    Reference:
        Hyvärinen and Oja, Independent Component Analysis: Algorithms and Applications, 2000.
    """

    name: ClassVar[str] = "ica"
    _axes: PrincipalAxes | None = None
    _scale: Floats
    _turn: Floats
    _codes: Floats

    def fit(self, x: Floats) -> Self:
        from sklearn.decomposition import FastICA

        x = training_matrix(x)
        axes = principal_axes(x, self._asked, self._seed)
        self._scale = np.sqrt(axes.variances)
        white = axes.project(x) / self._scale
        solver = FastICA(whiten=False, max_iter=MAX_ITERATIONS, random_state=self._seed)
        fitted, notes = noted(lambda: solver.fit(white), "FastICA")
        self._turn = fitted.components_
        self._codes = white @ self._turn.T
        self._axes = axes
        self.latent_dim = len(axes.variances)
        self.n_parameters = (
            axes.mean.size + axes.directions.size + self._turn.size + len(self._scale)
        )
        self.notes = axes.notes + notes
        return self

    def encode(self, x: Floats) -> Floats:
        axes = self._learned()
        white = axes.project(rows_of(x, axes.mean.size, "data")) / self._scale
        return np.asarray(white @ self._turn.T)

    def decode(self, z: Floats) -> Floats:
        axes = self._learned()
        # The turn is orthogonal: its transpose undoes it.
        return axes.restore(rows_of(z, self.latent_dim, "codes") @ self._turn * self._scale)

    def sample(self, n: int, seed: int) -> Floats:
        self._learned()
        random = np.random.default_rng(seed)
        rows = random.integers(len(self._codes), size=(n, self.latent_dim))
        return self.decode(np.take_along_axis(self._codes, rows, axis=0))

    def _learned(self) -> PrincipalAxes:
        if self._axes is None:
            raise not_fitted(self.name)
        return self._axes
