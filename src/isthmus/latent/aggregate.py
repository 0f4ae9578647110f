"""The aggregated posterior's shape, and how usual a code is by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from isthmus.errors import DataError
from isthmus.latent.asking import flat
from isthmus.latent.space import space_of
from isthmus.maths import double_precision
from isthmus.model import LatentModel


@final
@dataclass(frozen=True)
class Aggregate:
    """Mean and covariance of the codes of data, in the chart of the space that they live in.

    Args:
        model: Whose codes they are.
        mean: (n,).
        whiten: (n, r) to coordinates of covariance I; dimensions in which no code differs count
            for nothing.
        distances: (N,) Mahalanobis distances of the data's own codes, in rising order.
        rows: (N, n) the codes in the chart.
    """

    model: LatentModel
    mean: Tensor
    whiten: Tensor
    distances: Tensor
    rows: Tensor

    @classmethod
    def of(cls, model: LatentModel, codes: Tensor) -> Aggregate:
        """The aggregate of codes (N, *Z) of as many data as there are at hand.

        Raises:
            DataError: Fewer than 2 codes, or not this model's.
            UnsupportedError: The codes are integers.
        """
        rows = double_precision(space_of(model.posterior).chart(flat(model, codes)))
        if len(rows) < 2:
            raise DataError(f"The codes of at least 2 data have a spread; got {len(rows)}.")
        mean = rows.mean(0)
        values, axes = torch.linalg.eigh((rows - mean).T @ (rows - mean) / (len(rows) - 1))
        # Noise of single precision in a constant dimension would make every code unusual there.
        kept = values > 1e-10 * values.max().clamp(min=1e-30)
        whiten = axes[:, kept] / values[kept].sqrt()
        own = ((rows - mean) @ whiten).norm(dim=-1).sort().values
        return cls(model, mean, whiten, own, rows)

    def distance(self, codes: Tensor) -> Tensor:
        """Mahalanobis distances (B,) of codes (B, *Z) from the mean."""
        rows = space_of(self.model.posterior).chart(flat(self.model, codes)).to(self.mean)
        return ((rows - self.mean) @ self.whiten).norm(dim=-1)

    def quantile(self, codes: Tensor) -> Tensor:
        """The share (B,) of the data's own codes that lie no further out than codes (B, *Z).

        0.5 is a code like any other; at 1 no datum's own code lies further out, and the decoder
        was never trained there.
        """
        found = torch.searchsorted(self.distances, self.distance(codes), right=True)
        return found / len(self.distances)
