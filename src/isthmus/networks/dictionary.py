"""The overcomplete linear dictionary of a sparse autoencoder, and the centring of its input."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.data.source import DataDriven, Source
from isthmus.maths import geometric_median
from isthmus.networks.backbones import BACKBONES, Sizes
from isthmus.networks.base import DECODERS, ENCODERS, Decoder, Encoder
from isthmus.networks.mlp import MLPEncoder

# Data whose median stands for that of all.
MEDIAN_OF = 8192
# Supports whose decoder puts out a location, so that a median of the data means something to it.
LOCATED = frozenset({"real", "unit"})


@final
@ENCODERS.register("centred")
class CentredEncoder(Encoder, DataDriven):
    """Flattened x less the geometric median of the training data: no layer at all.

    Args:
        shape: D.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.features = math.prod(shape)
        self.register_buffer("centre", torch.zeros(self.features))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) - self.get_buffer("centre")

    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Take the median of the training data."""
        self.get_buffer("centre").copy_(_median(source, scale))
        return []


@final
@DECODERS.register("dictionary")
class Dictionary(Decoder, DataDriven):
    r"""A sum of directions: :math:`b + \sum_i z_i d_i` with :math:`\|d_i\| = 1`.

    The directions are normalised where they are used, so a step of the optimiser cannot leave the
    sphere, and the length of a code counts in the data's unit.

    Args:
        latent_shape: Z, one axis or several.
        shape: What the likelihood asks for.
        centred: Whether the bias starts at the geometric median of the training data.

    Reference:
        Gao et al., Scaling and Evaluating Sparse Autoencoders, arXiv 2406.04093.
    """

    def __init__(
        self, latent_shape: Sequence[int], shape: Sequence[int], centred: bool = True
    ) -> None:
        super().__init__()
        self._shape = tuple(shape)
        size = math.prod(shape)
        self.centred = centred
        self.weight = nn.Parameter(F.normalize(torch.randn(math.prod(latent_shape), size), dim=1))
        self.bias = nn.Parameter(torch.zeros(size))

    @property
    def directions(self) -> Tensor:
        """(Z, P) the unit vectors."""
        return F.normalize(self.weight, dim=1)

    def forward(self, z: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, z.flatten(1), self.directions)
        return flat.view(-1, *self._shape)

    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Start the bias at the median of the training data, where it is one."""
        if self.centred and self.bias.numel() == source.spec.size:
            self.bias.data.copy_(_median(source, scale))
            self.fresh = False
        return []


@BACKBONES.register("dictionary")
def dictionary(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Nothing before the code and a linear dictionary after it, for sparse codes."""
    shape, located = sizes.spec.shape, sizes.spec.support in LOCATED
    encoder = CentredEncoder(shape) if located else MLPEncoder(shape, ())
    return encoder, Dictionary(sizes.latent_shape, sizes.output_shape, located)


def _median(source: Source, scale: Callable[[Tensor], Tensor]) -> Tensor:
    parts: list[Tensor] = []
    for batch in source.epoch(1024, seed=0, epoch=0):
        parts.append(scale(batch.x).flatten(1).cpu().double())
        if sum(map(len, parts)) >= MEDIAN_OF:
            break
    return geometric_median(torch.cat(parts))
