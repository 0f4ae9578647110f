"""Categorical likelihood: data that are class indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions.categorical import Categorical
from isthmus.errors import OptionError
from isthmus.likelihoods.base import LIKELIHOODS, Likelihood, mean_of


@final
@LIKELIHOODS.register("categorical", default_for=("category",))
class CategoricalLikelihood(Likelihood):
    """Elements 0 .. K - 1, floats or integers, with the logits that the decoder gives.

    Indices have no mean: reconstructions are the distribution's `.mode`.

    Args:
        shape: The event shape D.
        n_categories: K.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ("category",)
    has_mean = False
    is_mass = True

    def __init__(self, shape: Sequence[int], n_categories: int) -> None:
        super().__init__(shape)
        if n_categories < 2:
            raise OptionError(
                f"A categorical likelihood needs n_categories of 2 or more; got {n_categories!r}."
            )
        self.n_categories = n_categories

    def parameter_shape(self) -> torch.Size:
        """(K, *D)."""
        return torch.Size((self.n_categories, *self.shape))

    def forward(self, parameters: Tensor) -> Categorical:
        """Logits (S, B, K, *D) -> batch (S, B), event D."""
        return Categorical(self._checked(parameters), len(self.shape))

    def start(self, data: Iterable[Tensor]) -> Tensor:
        """(K, *D) the logarithms of the frequencies."""
        every = torch.arange(self.n_categories).view(-1, *(1,) * len(self.shape))
        hits = ((x[:, None] == every).where(~x[:, None].isnan(), torch.nan) for x in data)
        return mean_of(hits, 0.5).log()
