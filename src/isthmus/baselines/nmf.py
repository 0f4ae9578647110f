"""Non-negative matrix factorisation."""

from __future__ import annotations

from typing import Any, ClassVar, Self, final

import numpy as np

from isthmus.baselines.base import (
    BASELINES,
    Baseline,
    Floats,
    clipped,
    not_fitted,
    rows_of,
    training_matrix,
)
from isthmus.baselines.convergence import noted
from isthmus.errors import DataError

MAX_ITERATIONS = 500


@final
@BASELINES.register("nmf", paper="Lee and Seung, Nature 401", year=1999)
class NonNegativeFactors(Baseline):
    """Non-negative matrix factorisation: x ≈ z H with nothing below zero, so parts only add up.

    It has no density and no samples.

    Args:
        latent_dim: Z, the number of parts; fewer where there are fewer rows or columns.
        seed: Seeds the initial parts.

    Reference:
        Lee and Seung, Learning the parts of objects by non-negative matrix factorization, 1999.
    """

    name: ClassVar[str] = "nmf"
    needs_non_negative: ClassVar[bool] = True
    _solver: Any = None

    def fit(self, x: Floats) -> Self:
        from sklearn.decomposition import NMF

        x = _non_negative(training_matrix(x))
        self.latent_dim, clip_notes = clipped(self._asked, min(x.shape))
        solver = NMF(
            self.latent_dim, init="nndsvda", max_iter=MAX_ITERATIONS, random_state=self._seed
        )
        self._solver, notes = noted(lambda: solver.fit(x), "NMF")
        self.n_parameters = solver.components_.size
        self.notes = clip_notes + notes
        return self

    def encode(self, x: Floats) -> Floats:
        parts = self._parts()
        rows = _non_negative(rows_of(x, parts.shape[1], "data"))
        # Codes that are a little short of their optimum are still the codes: no note.
        return np.asarray(noted(lambda: self._solver.transform(rows), "NMF")[0])

    def decode(self, z: Floats) -> Floats:
        return rows_of(z, self.latent_dim, "codes") @ self._parts()

    def _parts(self) -> Floats:
        if self._solver is None:
            raise not_fitted(self.name)
        return np.asarray(self._solver.components_)


def _non_negative(x: Floats) -> Floats:
    if x.size and x.min() < 0:
        row, column = np.argwhere(x < 0)[0]
        raise DataError(
            f"The data hold {x[row, column]:g} in row {row}, column {column}; NMF needs values of "
            "zero or more: take PCA, or shift the data."
        )
    return x
