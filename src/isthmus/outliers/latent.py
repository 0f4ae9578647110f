"""How dense the codes of the training data are where a datum's code lies."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, told


@final
@SCORES.register("latent")
class LatentScore(OutlierScore):
    """log N(z; m, S) of the mean code, with mean m and covariance S of the training codes.

    A Mahalanobis distance, in nats. Dimensions that do not vary count for nothing.
    """

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        codes = model.transform(X, **told(condition))
        self.mean_ = codes.mean(0)
        covariance = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
        values, axes = np.linalg.eigh(covariance)
        kept = values > values.max() * 1e-10
        self.whitening_ = axes[:, kept] / np.sqrt(values[kept])
        self.constant_ = 0.5 * np.log(2 * np.pi * values[kept]).sum()
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        white = (model.transform(X, **told(condition)) - self.mean_) @ self.whitening_
        found: Floats = -0.5 * np.square(white).sum(1) - self.constant_
        return found
