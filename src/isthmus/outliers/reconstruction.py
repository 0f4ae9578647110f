"""What the model cannot rebuild."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from isthmus.outliers.base import SCORES, Floats, OutlierScore, Trained, rebuilt


@final
@SCORES.register("reconstruction")
class ReconstructionScore(OutlierScore):
    """−‖x − x̂‖², x̂ the data rebuilt from the mean code: what the model has no words for."""

    by_distance = True

    def fit(self, model: Trained, X: Floats, condition: Any = None) -> Self:
        return self

    def usual(self, model: Trained, X: Floats, condition: Any = None) -> Floats:
        return -np.square(X - rebuilt(model, X, condition)).sum(1)
