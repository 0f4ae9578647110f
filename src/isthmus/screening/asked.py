"""A run's model behind the questions that outlier scores ask."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from isthmus.answering import answering
from isthmus.conditions import parts
from isthmus.model import LatentModel
from isthmus.outliers import RATE_SAMPLES, Floats
from isthmus.screening.yardsticks import Yardstick

# Rows of one pass for the rate.
PART = 512


@final
class AskedModel:
    """A trained model whose rows are float64 on the scale of a yardstick; see `outliers.Trained`.

    Where it answers by chance, torch's generator is the chance.

    Args:
        model: On any device.
        yardstick: From the data's units to the rows that it is asked about.
        samples: Importance samples of log p(x).
    """

    def __init__(self, model: LatentModel, yardstick: Yardstick, samples: int) -> None:
        self.model = model
        self.samples = samples
        self._yardstick = yardstick

    def rows(self, x: Tensor) -> Floats:
        """Data (N, *D) in their units as rows (N, F)."""
        return self._yardstick.there(_numbers(x))

    def data(self, rows: Floats) -> Floats:
        """Rows (N, F) in the data's units."""
        return self._yardstick.back(rows)

    def transform(self, X: Any, condition: Any = None) -> Any:
        """The mean codes (N, Z)."""
        return _numbers(self.model.encode(self._data(X), condition=self._there(condition)))

    def inverse_transform(self, X: Any, condition: Any = None) -> Any:
        """The rows (N, F) of the mean of p(x|z) at codes (N, Z)."""
        z = self._there(X).reshape(-1, *self.model.latent_shape)
        return self.rows(self.model.decode(z, condition=self._there(condition)))

    def score_samples(self, X: Any, *, condition: Any = None) -> Any:
        """Log p(x) (N,) in nats, a density in the data's units whatever the yardstick."""
        x, told = self._data(X), self._there(condition)
        return _numbers(self.model.log_likelihood(x, self.samples, condition=told))

    def rates(self, X: Any, condition: Any = None) -> Any:
        """KL(q(z|x) ‖ p(z)) (N,) in nats."""
        x, told = self._data(X), self._there(condition)
        with answering(self.model):
            found = [
                self.model.evidence(part, RATE_SAMPLES, condition=given, decoded=False).rate
                for part, given in parts(x, told, PART)
            ]
            return _numbers(torch.cat(found))

    def _data(self, X: Floats) -> Tensor:
        return self._there(self.data(X)).reshape(-1, *self.model.shape)

    def _there(self, values: Any) -> Any:
        """Numbers as the model reads them, where it lies."""
        if values is None:
            return None
        like = next(self.model.parameters())
        return torch.as_tensor(values).to(like.dtype).to(like.device)


def _numbers(x: Tensor) -> Floats:
    """A tensor (N, ...) as float64 on the host, (N, F) or (N,)."""
    flat: Floats = (x.flatten(1) if x.dim() > 1 else x).detach().cpu().double().numpy()
    return flat
