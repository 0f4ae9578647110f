"""Latent semantic analysis."""

from __future__ import annotations

from typing import ClassVar, Self, final

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


@final
@BASELINES.register("lsa", paper="Deerwester et al., JASIS 41", year=1990)
class LatentSemanticAnalysis(Baseline):
    """Truncated singular value decomposition of counts as they are: not centred, not weighted.

    It has no density and no samples.

    Args:
        latent_dim: Z, the number of topics; fewer where there are fewer rows or columns.
        seed: Seeds the randomised solver.

    Reference:
        Deerwester et al., Indexing by latent semantic analysis, JASIS 41, 1990.
    """

    name: ClassVar[str] = "lsa"
    _directions: Floats | None = None

    def fit(self, x: Floats) -> Self:
        from sklearn.decomposition import TruncatedSVD

        x = training_matrix(x)
        self.latent_dim, self.notes = clipped(self._asked, min(x.shape))
        solver = TruncatedSVD(self.latent_dim, n_iter=10, random_state=self._seed).fit(x)
        self._directions = np.asarray(solver.components_)
        self.n_parameters = self._directions.size
        return self

    def encode(self, x: Floats) -> Floats:
        directions = self._learned()
        return rows_of(x, directions.shape[1], "data") @ directions.T

    def decode(self, z: Floats) -> Floats:
        return rows_of(z, self.latent_dim, "codes") @ self._learned()

    def _learned(self) -> Floats:
        if self._directions is None:
            raise not_fitted(self.name)
        return self._directions
