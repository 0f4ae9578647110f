"""Decoders of codes from other spaces, which another decoder reads in units of their prior.

The first layer of a network starts with weights for inputs of about mean 0 and unit spread, and an
optimiser's steps are sized for such. What lies on a sphere, in a ball or among categories has
others: read as it is, it is learned several times more slowly.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.distributions.wrapped_normal import log_map
from isthmus.errors import OptionError
from isthmus.maths import double_precision
from isthmus.networks.base import DECODERS, Decoder


@final
@DECODERS.register("standardised")
class StandardisedDecoder(Decoder):
    """Another decoder, that reads (z − mean) / spread.

    Args:
        decoder: Of codes of the same shape.
        mean: Of each number of the code.
        spread: Its standard deviation.
        first: How many leading numbers of a code of one axis are read as they are.

    Raises:
        OptionError: The spread is not positive.
    """

    def __init__(
        self, decoder: Decoder, mean: float = 0.0, spread: float = 1.0, first: int = 0
    ) -> None:
        super().__init__()
        if not spread > 0.0:
            raise OptionError(f"A code's spread must be positive, got {spread!r}.")
        self.decoder = decoder
        self.mean = mean
        self.spread = spread
        self.first = first

    def forward(self, z: Tensor) -> Tensor:
        found = (z[:, self.first :] - self.mean) / self.spread
        result: Tensor = self.decoder(
            torch.cat([z[:, : self.first], found], 1) if self.first else found
        )
        return result


@final
@DECODERS.register("tangent")
class TangentDecoder(Decoder):
    """Another decoder, that reads the tangent at the centre of the Poincaré ball which leads to z.

    Args:
        decoder: Of tangents, in coordinates in which their length is the distance from the centre.
        curvature: How strongly the ball bends.

    Reference:
        Mathieu et al., Continuous Hierarchical Representations with Poincaré Variational
        Auto-Encoders, arXiv 1901.06033: the logarithm map before the decoder's layers.
    """

    def __init__(self, decoder: Decoder, curvature: float = 1.0) -> None:
        super().__init__()
        self.decoder = decoder
        self.curvature = curvature

    def forward(self, z: Tensor) -> Tensor:
        wide = double_precision(z)
        tangent = log_map(torch.zeros_like(wide), wide, self.curvature)
        result: Tensor = self.decoder(tangent.to(z.dtype))
        return result
