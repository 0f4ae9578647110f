"""Finite scalar quantisation: every dimension is rounded to a few levels; no codebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import final

import torch
from torch import Tensor, nn

from isthmus.distributions import Quantised
from isthmus.errors import OptionError
from isthmus.maths import straight_through
from isthmus.posteriors.base import POSTERIORS, DiscretePosterior
from isthmus.posteriors.heads import wide_start
from isthmus.posteriors.integers import check_indices
from isthmus.posteriors.places import Places

# A hair of slack, so that the outermost levels are reached at finite values.
SLACK = 1e-3


@final
@POSTERIORS.register("fsq")
class FiniteScalar(DiscretePosterior):
    """Each of a few dimensions is bounded by a tanh and rounded to its levels, the gradient passing
    straight through; there is nothing further to be minimised.

    The levels span [−1, 1]; a linear map carries them to the width that the decoder reads. The
    number of codes is the product of the levels: (8, 6, 5), (8, 5, 5, 5), (7, 5, 5, 5, 5),
    (8, 8, 8, 6, 5) and (8, 8, 8, 5, 5, 5) have about 2^8, 2^10, 2^12, 2^14 and 2^16. The head
    starts with three times PyTorch's weights and no bias, which the paper does not say: its numbers
    then have about unit spread before the tanh, and the outer levels are within reach. From a
    spread of .3 codes far out along several dimensions at once are hardly ever learned.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z: positions, then the width that the decoder reads, where one axis is one
            position; over a feature map the width, then its sizes.
        levels: Of each dimension.
        grid: (h, w) where the features are a map: one code in each of its cells.

    Reference:
        Mentzer et al., Finite Scalar Quantization: VQ-VAE Made Simple, arXiv 2309.15505.
    """

    has_density = False
    has_mode = True
    space = "codes"

    radius: Tensor
    offset: Tensor
    basis: Tensor

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        levels: Sequence[int] = (8, 6, 5),
        grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise OptionError(f"Every dimension needs at least 2 levels, got {tuple(levels)}.")
        self.latent_shape = tuple(latent_shape)
        self._places = Places(latent_shape, grid)
        self.code_shape = self._places.shape
        self.n_codes = math.prod(levels)
        counts = torch.tensor(tuple(levels))
        basis = torch.tensor([1, *accumulate(levels, mul)][:-1])
        self.register_buffer("radius", (counts - 1) * (1 + SLACK) / 2, persistent=False)
        self.register_buffer("offset", 0.5 * (counts % 2 == 0), persistent=False)
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("basis", basis, persistent=False)
        self.head = wide_start(self._places.head(features, len(levels)))
        self.spread = nn.Linear(len(levels), self._places.width)

    def forward(self, h: Tensor) -> Quantised:
        raw = self._places.read(self.head, h)
        # An even number of levels lies off centre: the shift keeps an input of 0 at level 0.
        bounded = (raw + (self.offset / self.radius).atanh()).tanh() * self.radius - self.offset
        rounded = bounded.round()
        digits = rounded.detach().long() + self._middle
        value = self.spread(straight_through(bounded, rounded) / self._middle)
        return Quantised(
            self._places.lay(value),
            (digits * self.basis).sum(-1),
            len(self.latent_shape),
        )

    @property
    def _middle(self) -> Tensor:
        return self.get_buffer("counts") // 2

    def digits(self, indices: Tensor) -> Tensor:
        """Integers (...) -> the level of each dimension, from 0 up, (..., len(levels))."""
        return indices.unsqueeze(-1) // self.basis % self.get_buffer("counts")

    def embed(self, indices: Tensor) -> Tensor:
        digits = self.digits(check_indices(indices, self.code_shape, self.n_codes))
        levels = (digits - self._middle) / self._middle
        found: Tensor = self.spread(levels.to(self.spread.weight.dtype))
        return self._places.lay(found)
