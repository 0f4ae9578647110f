"""Neighbours and an isolation forest together."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, told
from isthmus.outliers.neighbours import NeighbourScore

FURTHEST = float(np.finfo(np.float32).max)


@final
@SCORES.register("ensemble")
class EnsembleScore(OutlierScore):
    """n / s + f / t: n is what `neighbours` says, f what an isolation forest says of each row,
    which it is given together with its code and its errors |x − x̂| by column.

    s and t are the standard deviations of the two over the training rows. Neighbours see what is
    far from everything, a forest what stands out in a few columns, and where the one is misled by
    many columns that tell nothing, the other seldom is.

    Raises:
        DataError: There are fewer than two training rows.

    Reference:
        Liu, Ting and Zhou, Isolation Forest, ICDM 2008; Aggarwal and Sathe, Theoretical Foundations
        and Algorithms for Outlier Ensembles, SIGKDD Explorations 2015.
    """

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        from sklearn.ensemble import IsolationForest

        self._neighbours = NeighbourScore().fit(model, X, condition)
        views = _views(model, X, condition)
        self._forest: Any = IsolationForest(random_state=0).fit(views)
        near, apart = self._neighbours.of_known, self._forest.score_samples(views)
        self._spreads = float(near.std()) or 1.0, float(apart.std()) or 1.0
        self.of_known = self._sum(near, apart)
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        near = self._neighbours.usual(model, X, condition)
        return self._sum(near, self._forest.score_samples(_views(model, X, condition)))

    def _sum(self, near: Floats, apart: Floats) -> Floats:
        return near / self._spreads[0] + apart / self._spreads[1]


def _views(model: Trained, X: Floats, condition: Any) -> Floats:
    """Rows (N, F) with their codes and their errors: (N, F + Z + F), within single precision."""
    given = told(condition)
    codes = np.asarray(model.transform(X, **given))
    back = model.inverse_transform(codes, **given)
    views = np.hstack([X, codes.reshape(len(X), -1), np.abs(X - back)])
    # Trees read single precision, and a row may lie so far out that its code overflows.
    return np.nan_to_num(np.clip(views, -FURTHEST, FURTHEST), nan=FURTHEST)
