"""Where the vectors of a code lie: places in a sequence, or the cells of a feature map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.maths import full_precision


@final
class Places:
    """How features become vectors at places, and how those are laid out as a latent.

    From flat features (B, H) every place has a linear map of its own, and the latent is (B, places,
    width). From a feature map (B, H, h, w) one linear map serves every cell, a 1 × 1 convolution,
    and the latent is laid out like an image: (B, width, h, w).

    Args:
        latent_shape: Z: places, then the width, where one axis is one place; or (width, h, w).
        grid: (h, w) of the feature map; () for flat features.
    """

    def __init__(self, latent_shape: Sequence[int], grid: Sequence[int] = ()) -> None:
        self.latent_shape = tuple(latent_shape)
        self.grid = tuple(grid)
        self.shape = self.grid or self.latent_shape[:-1] or (1,)
        self.width = self.latent_shape[0 if self.grid else -1]

    def head(self, features: int, width: int) -> nn.Linear:
        """The map from features to `width` numbers at each place."""
        return nn.Linear(features, width if self.grid else width * math.prod(self.shape))

    def read(self, head: nn.Linear, h: Tensor) -> Tensor:
        """Features -> what the head says at each place, (B, *places, width)."""
        if self.grid:
            return full_precision(head(h.movedim(1, -1)))
        return full_precision(head(h)).unflatten(-1, (*self.shape, -1))

    def lay(self, vectors: Tensor) -> Tensor:
        """(B, *places, width) -> latents (B, *Z)."""
        if self.grid:
            return vectors.movedim(-1, 1)
        return vectors.reshape(-1, *self.latent_shape)
