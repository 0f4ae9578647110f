"""How far a datum is from the nearest training data, and from what the model makes of them."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, rebuilt

# How many of the nearest training data the distance is averaged over.
NEIGHBOURS = 5
# Between rows of more numbers distances are Euclidean: city-block ones take fifteen times as long,
# and gain where single columns lie far out, which among so many decide little.
WIDE = 256


@final
@SCORES.register("neighbours")
class NeighbourScore(OutlierScore):
    """−(log(1 + d/d̄) / s + log(1 + e/ē) / t): d is the mean distance to the five nearest training
    rows, e that to the five nearest reconstructions of training rows.

    d̄ and ē are the means over the training rows, s and t the standard deviations of the two
    logarithms over them. A training row has no neighbour in itself nor in its own reconstruction,
    so that it scores as a new one does. A datum off the surface that the model decodes to is far
    from all reconstructions, and so is one on it where no training datum lies; a usual datum that
    the model rebuilds badly is near training rows at least. Distances are city-block ones, or
    Euclidean where a row has more than 256 numbers.

    Raises:
        DataError: There are fewer than two training rows.
    """

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        if len(X) < 2:
            raise DataError("There is one training row; the score 'neighbours' needs at least two.")
        self._places = {row.tobytes(): i for i, row in enumerate(X)}
        own = self._own(X)
        self._near = _Nearest(X, X, own)
        self._near_surface = _Nearest(rebuilt(model, X, condition), X, own)
        self.of_known: Floats = -self._near.of_rows - self._near_surface.of_rows
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        own = self._own(X)
        return -self._near.levels(X, own) - self._near_surface.levels(X, own)

    def _own(self, X: Floats) -> NDArray[np.int64]:
        """Which training row each row (N, F) is; -1 for others."""
        return np.array([self._places.get(row.tobytes(), -1) for row in X], dtype=np.int64)


@final
class _Nearest:
    """How far the nearest of known rows are, on a scale that the training rows set.

    Args:
        known: (N, F).
        rows: (N, F) training rows.
        own: (N,) which of the known rows is no neighbour of each.

    Attributes:
        of_rows: (N,) the training rows' levels.
    """

    def __init__(self, known: Floats, rows: Floats, own: NDArray[np.int64]) -> None:
        from sklearn.neighbors import NearestNeighbors

        self._count = min(NEIGHBOURS, len(known) - 1)
        metric = "manhattan" if known.shape[1] <= WIDE else "euclidean"
        self._index: Any = NearestNeighbors(n_neighbors=self._count + 1, metric=metric).fit(known)
        distances = self._distances(rows, own)
        self._mean = float(distances.mean()) or 1.0
        self._spread = float(np.log1p(distances / self._mean).std()) or 1.0
        self.of_rows = self._levelled(distances)

    def levels(self, rows: Floats, own: NDArray[np.int64]) -> Floats:
        """(M,) of rows (M, F), the own ones (M,) of the known left out."""
        return self._levelled(self._distances(rows, own))

    def _levelled(self, distances: Floats) -> Floats:
        levels: Floats = np.log1p(distances / self._mean) / self._spread
        return levels

    def _distances(self, rows: Floats, own: NDArray[np.int64]) -> Floats:
        far, which = self._index.kneighbors(rows)
        left_out = which == own[:, None]
        left_out[~left_out.any(1), -1] = True
        mean: Floats = far[~left_out].reshape(len(rows), self._count).mean(1)
        return mean
