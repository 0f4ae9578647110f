"""Convolutional networks whose codes keep the picture's two axes: a cell for a patch of pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder
from isthmus.networks.conv import ConvBlock, Enlarge, groups


def map_size(size: Sequence[int], downsample: int) -> tuple[int, ...]:
    """The size of the feature map of an image: each side divided by `downsample`, rounded up.

    Raises:
        OptionError: `downsample` is no power of two from 2 on.

    >>> map_size((28, 21), 4)
    (7, 6)
    """
    if downsample < 2 or downsample & (downsample - 1):
        raise OptionError(
            f"A feature map is 2, 4, 8, ... times smaller than the image, not {downsample} times."
        )
    return tuple(math.ceil(side / downsample) for side in size)


def _stages(
    size: Sequence[int], channels: Sequence[int], downsample: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """The sizes from the image to the map, and the width of each after the first."""
    map_size(size, downsample)
    factors = [2**i for i in range(downsample.bit_length())]
    sizes = [(math.ceil(size[0] / f), math.ceil(size[1] / f)) for f in factors]
    return sizes, [channels[min(i, len(channels) - 1)] for i in range(len(sizes) - 1)]


@final
@ENCODERS.register("map")
class MapEncoder(Encoder):
    """Strided convolutions, then residual blocks: an image -> a feature map (B, H, h, w).

    An odd side is rounded up each time that it is halved; no pixel is left out.

    Args:
        shape: D = (channels, height, width).
        channels: Widths of the stages; the last serves for all further ones, and is H.
        downsample: How many times smaller the map is than the image, a power of two.
        blocks: Residual blocks on the map.
        activation: Name of the activation.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, arXiv 1711.00937, section 4.1.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: Sequence[int] = (32, 64),
        downsample: int = 4,
        blocks: int = 1,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        depth, *size = shape
        sizes, widths = _stages(size, channels, downsample)
        layers: list[nn.Module] = []
        for narrow, wide in zip([depth, *widths], widths, strict=False):
            layers += [
                nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
                ACTIVATIONS.create(activation),
            ]
        # The first block normalises what it reads, and what the last gives is left as it is summed.
        layers += [ConvBlock(widths[-1], activation) for _ in range(blocks)]
        layers += [nn.GroupNorm(groups(widths[-1]), widths[-1]), ACTIVATIONS.create(activation)]
        self.features = widths[-1]
        self.grid = sizes[-1]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


@final
@DECODERS.register("map")
class MapDecoder(Decoder):
    """The way back: latents laid out like an image (N, E, h, w), residual blocks, then transposed
    convolutions to the exact size.

    Args:
        latent_shape: Z = (E, h, w), with the size of the map that `MapEncoder` gives.
        shape: What the likelihood asks for, (P, channels, height, width).
        channels: Widths of the stages, as the encoder's.
        downsample: As the encoder's.
        blocks: Residual blocks on the map.
        activation: Name of the activation.

    Raises:
        OptionError: The latents are not laid out like the map.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        shape: Sequence[int],
        channels: Sequence[int] = (32, 64),
        downsample: int = 4,
        blocks: int = 1,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        *depth, height, width = shape
        sizes, widths = _stages((height, width), channels, downsample)
        if tuple(latent_shape[1:]) != sizes[-1]:
            raise OptionError(
                f"A decoder of feature maps reads latents of shape (width, {sizes[-1][0]}, "
                f"{sizes[-1][1]}), and these are {tuple(latent_shape)}: use network='conv', or a "
                "posterior such as 'diagonal', 'delta', 'vq', 'rvq', 'fsq' or 'lfq'."
            )
        layers: list[nn.Module] = [nn.Conv2d(latent_shape[0], widths[-1], 3, padding=1)]
        layers += [ConvBlock(widths[-1], activation) for _ in range(blocks)]
        wide = [math.prod(depth), *widths]
        for narrow, to, size in zip(wide[::-1], wide[-2::-1], sizes[-2::-1], strict=False):
            layers += [ACTIVATIONS.create(activation), Enlarge(narrow, to, size)]
        self.layers = nn.Sequential(*layers, nn.Unflatten(1, tuple(depth)))

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.layers(z)
        return result
