"""Convolutional networks for images of any size, odd ones too, and any number of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

from torch import Tensor, nn

from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder

SMALLEST_SIDE = 4


def halvings(size: Sequence[int], most: int) -> list[tuple[int, int]]:
    """The sizes (height, width) that an image passes through: halved, rounded up, until a side is
    small.

    >>> halvings((28, 21), 4)
    [(28, 21), (14, 11), (7, 6), (4, 3)]
    """
    sizes = [(size[0], size[1])]
    while len(sizes) <= most and min(sizes[-1]) > SMALLEST_SIDE:
        height, width = sizes[-1]
        sizes.append((math.ceil(height / 2), math.ceil(width / 2)))
    return sizes


def groups(channels: int) -> int:
    """The largest number of groups up to 8 that divides the channels."""
    return math.gcd(channels, 8)


@final
class ConvBlock(nn.Module):
    """h + conv(act(norm(conv(act(norm(h)))))).

    Reference:
        He et al., arXiv 1603.05027; Wu & He, Group Normalization, arXiv 1803.08494.
    """

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(groups(channels), channels),
            ACTIVATIONS.create(activation),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(groups(channels), channels),
            ACTIVATIONS.create(activation),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = h + self.layers(h)
        return result


@final
class Enlarge(nn.Module):
    """A transposed convolution to exactly the given size: twice the input's, or one less."""

    def __init__(self, narrow: int, wide: int, size: tuple[int, int]) -> None:
        super().__init__()
        # A kernel that the stride divides covers every output pixel equally often: no checkerboard.
        self.conv = nn.ConvTranspose2d(narrow, wide, 4, stride=2, padding=1)
        self.size = size

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = self.conv(h)[..., : self.size[0], : self.size[1]]
        return result


@final
@ENCODERS.register("conv")
class ConvEncoder(Encoder):
    """Strided convolutions, residual blocks where asked for, then one fully connected layer.

    Args:
        shape: D = (channels, height, width).
        channels: Widths of the stages; a small image passes only as many as its size allows.
        features: H.
        blocks: Residual blocks in each stage.
        activation: Name of the activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: Sequence[int] = (32, 64, 128),
        features: int = 256,
        blocks: int = 0,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        depth, *size = shape
        sizes = halvings(size, len(channels))
        widths = [depth, *channels[: len(sizes) - 1]]
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            layers += [
                nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
                ACTIVATIONS.create(activation),
            ]
            layers += [ConvBlock(wide, activation) for _ in range(blocks)]
        flat = widths[-1] * math.prod(sizes[-1])
        layers += [nn.Flatten(), nn.Linear(flat, features), ACTIVATIONS.create(activation)]
        self.features = features
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


@final
@DECODERS.register("conv")
class ConvDecoder(Decoder):
    """The encoder's way back: fully connected, then transposed convolutions to the exact size.

    Args:
        latent_shape: Z.
        shape: What the likelihood asks for, (P, channels, height, width).
        channels: Widths of the stages, as the encoder's.
        features: Width of the first layer.
        blocks: Residual blocks in each stage.
        activation: Name of the activation.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        shape: Sequence[int],
        channels: Sequence[int] = (32, 64, 128),
        features: int = 256,
        blocks: int = 0,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        *depth, height, width = shape
        sizes = halvings((height, width), len(channels))
        widths = [math.prod(depth), *channels[: len(sizes) - 1]][::-1]
        layers: list[nn.Module] = [
            nn.Flatten(),
            nn.Linear(math.prod(latent_shape), features),
            ACTIVATIONS.create(activation),
            nn.Linear(features, widths[0] * math.prod(sizes[-1])),
            nn.Unflatten(1, (widths[0], *sizes[-1])),
        ]
        for narrow, wide, size in zip(widths, widths[1:], sizes[-2::-1], strict=False):
            layers += [ConvBlock(narrow, activation) for _ in range(blocks)]
            layers += [ACTIVATIONS.create(activation), Enlarge(narrow, wide, size)]
        self.layers = nn.Sequential(*layers, nn.Unflatten(1, tuple(depth)))

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.layers(z)
        return result
