"""The encoder of the latent-diffusion autoencoder: an image -> the moments of a smaller map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.networks.base import ENCODERS, Encoder
from isthmus.networks.kl.blocks import (
    EPS,
    DownBlock,
    MidBlock,
    activate,
    check_stages,
    conv,
    run,
    spatial_axes,
)


@final
@ENCODERS.register("kl")
class KLEncoder(Encoder):
    """Stages of residual blocks, each half the size of the one before, and one attention.

    A side that is no multiple of f = 2^(stages - 1) is first padded with copies of its last cells,
    so the map has ceil(side / f) of them. It runs on any other size than the one it is built for.

    Args:
        shape: D = (channels, *size), with one, two or three spatial axes.
        latent_channels: Z; 2 Z features come out, the mean's before the log-variance's.
        channels: Widths of the stages.
        layers: Residual blocks in a stage.
        groups: Of the normalisation; they divide every width.
        attention: Whether the smallest map is attended to.
        checkpointing: Whether training computes blocks twice in place of keeping what is in them.
        stream_scale: What the residual stream is divided by, a power of two that
            `isthmus.networks.kl.half` chooses; the weights hold it, and it is told here for the
            normalisation's sake.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
        arXiv 2112.10752.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_channels: int = 4,
        channels: Sequence[int] = (128, 256, 512, 512),
        layers: int = 2,
        groups: int = 32,
        attention: bool = True,
        checkpointing: bool = False,
        stream_scale: float = 1.0,
    ) -> None:
        super().__init__()
        axes, eps = spatial_axes(shape), EPS / stream_scale**2
        check_stages(channels, layers, groups)
        self.checkpointing, self.stream_scale = checkpointing, stream_scale
        self.factor = 2 ** (len(channels) - 1)
        self.features = 2 * latent_channels
        self.grid = tuple(math.ceil(side / self.factor) for side in shape[1:])
        last = len(channels) - 1
        narrow = (channels[0], *channels[:-1])
        self.conv_in = conv(axes, shape[0], channels[0])
        self.down_blocks = nn.ModuleList(
            DownBlock(axes, narrow[i], channels[i], layers, groups, i == last, eps)
            for i in range(len(channels))
        )
        self.mid_block = MidBlock(axes, channels[-1], groups, attention, eps)
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], eps)
        self.conv_out = conv(axes, channels[-1], self.features)

    def blocks(self) -> list[nn.Module]:
        """Everything between the first and the last convolution, in order."""
        stages = (stage.blocks() for stage in self.down_blocks if isinstance(stage, DownBlock))
        return [*(block for stage in stages for block in stage), *self.mid_block.blocks()]

    def pad(self, x: Tensor) -> Tensor:
        """(B, C, *size) -> each side up to a multiple of f, by copies of its last cells."""
        over = [-side % self.factor for side in reversed(x.shape[2:])]
        if not any(over):
            return x
        return F.pad(x, [n for more in over for n in (0, more)], mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        h = run(self.blocks(), self.conv_in(self.pad(x)), self.checkpointing)
        result: Tensor = self.conv_out(activate(self.conv_norm_out, h))
        return result


def check_map(latent_shape: Sequence[int], size: Sequence[int], factor: int) -> None:
    """Refuse latents that are not laid out like the map of data of this size.

    Raises:
        OptionError: With the shape that would do.
    """
    grid = tuple(math.ceil(side / factor) for side in size)
    if tuple(latent_shape[1:]) != grid:
        raise OptionError(
            f"A 'kl' decoder of {len(size)} axes that enlarges {factor} times reads latents of "
            f"shape (width, {', '.join(map(str, grid))}), and these are {tuple(latent_shape)}: "
            "use as many stages as the encoder, and a posterior that keeps maps."
        )
