"""The decoder of the latent-diffusion autoencoder: a latent map -> an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType
from typing import final

from torch import Tensor, nn

from isthmus.networks.base import DECODERS, Decoder
from isthmus.networks.kl.blocks import (
    EPS,
    MidBlock,
    UpBlock,
    activate,
    check_stages,
    conv,
    run,
    spatial_axes,
)
from isthmus.networks.kl.encoder import check_map


@final
@DECODERS.register("kl")
class KLDecoder(Decoder):
    """One attention on the latent map, then stages of residual blocks, each twice as large.

    What comes out is cropped to `shape` where z has the size it is built for; z of any other size
    gives the whole map.

    Args:
        latent_shape: Z = (latent channels, *map), each side ceil(side / f), f = 2^(stages - 1).
        shape: What the likelihood asks for, (P, channels, *size).
        channels: Widths of the stages as the encoder's, the widest last.
        layers: As the encoder's; a stage here has one block more.
        groups: Of the normalisation; they divide every width.
        attention: Whether the latent map is attended to.
        post_quant: Whether a 1 × 1 convolution reads the latents first.
        checkpointing: Whether training computes blocks twice in place of keeping what is in them.
        stream_scale: As the encoder's.

    Raises:
        OptionError: The latents are not laid out like the map.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
        arXiv 2112.10752.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        shape: Sequence[int],
        channels: Sequence[int] = (128, 256, 512, 512),
        layers: int = 2,
        groups: int = 32,
        attention: bool = True,
        post_quant: bool = True,
        checkpointing: bool = False,
        stream_scale: float = 1.0,
    ) -> None:
        super().__init__()
        axes, eps = spatial_axes(shape[1:]), EPS / stream_scale**2
        check_stages(channels, layers, groups)
        self.checkpointing, self.stream_scale = checkpointing, stream_scale
        self.factor = 2 ** (len(channels) - 1)
        self.latent_shape, self.shape = tuple(latent_shape), tuple(shape)
        check_map(self.latent_shape, self.shape[2:], self.factor)
        depth, outputs = latent_shape[0], math.prod(shape[:2])
        wide, last = tuple(reversed(channels)), len(channels) - 1
        narrow = (wide[0], *wide[:-1])
        self.post_quant_conv = conv(axes, depth, depth, 1) if post_quant else None
        self.conv_in = conv(axes, depth, wide[0])
        self.mid_block = MidBlock(axes, wide[0], groups, attention, eps)
        self.up_blocks = nn.ModuleList(
            UpBlock(axes, narrow[i], wide[i], layers + 1, groups, i == last, eps)
            for i in range(len(channels))
        )
        self.conv_norm_out = nn.GroupNorm(groups, wide[-1], eps)
        self.conv_out = conv(axes, wide[-1], outputs)

    def blocks(self) -> list[nn.Module]:
        """Everything between the first and the last convolution, in order."""
        stages = (stage.blocks() for stage in self.up_blocks if isinstance(stage, UpBlock))
        return [*self.mid_block.blocks(), *(block for stage in stages for block in stage)]

    def decode_map(self, z: Tensor) -> Tensor:
        """(N, Z, *map) of any size -> (N, P C, *(f map)), uncropped."""
        z = z if self.post_quant_conv is None else self.post_quant_conv(z)
        h = run(self.blocks(), self.conv_in(z), self.checkpointing)
        result: Tensor = self.conv_out(activate(self.conv_norm_out, h))
        return result

    def lay_out(self, whole: Tensor, size: Sequence[int]) -> Tensor:
        """(N, P C, *map) cropped to `size` -> (N, P, C, *size)."""
        kept: tuple[EllipsisType | slice, ...] = (..., *(slice(side) for side in size))
        cropped = whole[kept]
        return cropped.unflatten(1, self.shape[:2])

    def forward(self, z: Tensor) -> Tensor:
        built_for = tuple(z.shape[2:]) == self.latent_shape[1:]
        whole = self.decode_map(z)
        return self.lay_out(whole, self.shape[2:] if built_for else whole.shape[2:])
