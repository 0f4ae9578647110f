"""Fully connected networks, plain and residual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

from torch import Tensor, nn

from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder


def stack(widths: Sequence[int], activation: str, dropout: float = 0.0) -> list[nn.Module]:
    """Linear layers through `widths`, each followed by the activation."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), ACTIVATIONS.create(activation)]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return layers


@final
@ENCODERS.register("mlp")
class MLPEncoder(Encoder):
    """Flattened x through fully connected layers.

    Args:
        shape: D.
        hidden: Widths of the layers; none makes the encoder linear with the posterior's head.
        activation: Name of the activation after each layer.
        dropout: Share of hidden units that are dropped while training.
    """

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Sequence[int] = (512, 512),
        activation: str = "silu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [math.prod(shape), *hidden]
        self.features = widths[-1]
        self.layers = nn.Sequential(nn.Flatten(), *stack(widths, activation, dropout))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


@final
@DECODERS.register("mlp")
class MLPDecoder(Decoder):
    """Flattened z through fully connected layers to the likelihood's parameters.

    Args:
        latent_shape: Z.
        shape: What the likelihood asks for.
        hidden: Widths of the layers; none makes the decoder linear.
        activation: Name of the activation after each hidden layer.
        dropout: Share of hidden units that are dropped while training.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        shape: Sequence[int],
        hidden: Sequence[int] = (512, 512),
        activation: str = "silu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [math.prod(latent_shape), *hidden]
        self.layers = nn.Sequential(
            nn.Flatten(),
            *stack(widths, activation, dropout),
            nn.Linear(widths[-1], math.prod(shape)),
        )
        self._shape = tuple(shape)

    def forward(self, z: Tensor) -> Tensor:
        flat: Tensor = self.layers(z)
        return flat.view(-1, *self._shape)


@final
class ResidualBlock(nn.Module):
    """h + W2 act(W1 act(norm(h))).

    Reference:
        He et al., Identity Mappings in Deep Residual Networks, arXiv 1603.05027.
    """

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            ACTIVATIONS.create(activation),
            nn.Linear(width, width),
            ACTIVATIONS.create(activation),
            nn.Linear(width, width),
        )

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = h + self.layers(h)
        return result


@final
@ENCODERS.register("residual")
class ResidualEncoder(Encoder):
    """Flattened x through a linear map and residual blocks.

    Args:
        shape: D.
        width: H.
        blocks: Number of residual blocks.
        activation: Name of the activation.
    """

    def __init__(
        self, shape: Sequence[int], width: int = 256, blocks: int = 2, activation: str = "silu"
    ) -> None:
        super().__init__()
        self.features = width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(shape), width),
            *(ResidualBlock(width, activation) for _ in range(blocks)),
            ACTIVATIONS.create(activation),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


@final
@DECODERS.register("residual")
class ResidualDecoder(Decoder):
    """Flattened z through a linear map, residual blocks and a linear map.

    Args:
        latent_shape: Z.
        shape: What the likelihood asks for.
        width: Width of the blocks.
        blocks: Number of residual blocks.
        activation: Name of the activation.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        shape: Sequence[int],
        width: int = 256,
        blocks: int = 2,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(latent_shape), width),
            *(ResidualBlock(width, activation) for _ in range(blocks)),
            ACTIVATIONS.create(activation),
            nn.Linear(width, math.prod(shape)),
            nn.Unflatten(1, tuple(shape)),
        )

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.layers(z)
        return result
