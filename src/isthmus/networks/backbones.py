"""Pairs of networks by one name: what a recipe's `network` option chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.networks.base import Decoder, Encoder
from isthmus.networks.conv import ConvDecoder, ConvEncoder
from isthmus.networks.kl import KLDecoder, KLEncoder
from isthmus.networks.maps import MapDecoder, MapEncoder
from isthmus.networks.mlp import MLPDecoder, MLPEncoder, ResidualDecoder, ResidualEncoder
from isthmus.registry import Registry

BACKBONES = Registry("network")

# From this height and width on, an image is worth convolving.
LARGE_IMAGE = 16
# From this width on, the published networks are normalised in 32 groups.
PUBLISHED_WIDTH = 128


@final
@dataclass(frozen=True)
class Sizes:
    """What a backbone is built for.

    Args:
        spec: The data.
        latent_shape: Z.
        output_shape: What the likelihood asks of the decoder.
        hidden: Widths of the layers or stages; None leaves them to the backbone.
        activation: Name of the activation.
        downsample: How many times smaller than the image a feature map is, where there is one.
    """

    spec: DataSpec
    latent_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    hidden: Sequence[int] | None
    activation: str
    downsample: int = 4


def is_large(shape: Sequence[int]) -> bool:
    """Whether a datum is an image of 16 × 16 or more."""
    return len(shape) == 3 and min(shape[1:]) >= LARGE_IMAGE


@BACKBONES.register("mlp")
def mlp(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Fully connected layers."""
    hidden = (512, 256) if sizes.hidden is None else tuple(sizes.hidden)
    return (
        MLPEncoder(sizes.spec.shape, hidden, sizes.activation),
        MLPDecoder(sizes.latent_shape, sizes.output_shape, hidden[::-1], sizes.activation),
    )


@BACKBONES.register("selecting")
def selecting(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """The datum itself before the code, fully connected layers after it: for a code made of some
    of its elements.
    """
    return MLPEncoder(sizes.spec.shape, ()), mlp(sizes)[1]


@BACKBONES.register("linear")
def linear(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """No hidden layer at all."""
    return MLPEncoder(sizes.spec.shape, ()), MLPDecoder(sizes.latent_shape, sizes.output_shape, ())


@BACKBONES.register("conv")
def conv(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Strided convolutions, for images of any size."""
    return _convolutional(sizes, blocks=0)


@BACKBONES.register("residual")
def residual(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Residual blocks: convolutional for images, fully connected for everything else."""
    if len(sizes.spec.shape) == 3:
        return _convolutional(sizes, blocks=1)
    width, blocks = (sizes.hidden[0], len(sizes.hidden)) if sizes.hidden else (256, 2)
    return (
        ResidualEncoder(sizes.spec.shape, width, blocks, sizes.activation),
        ResidualDecoder(sizes.latent_shape, sizes.output_shape, width, blocks, sizes.activation),
    )


@BACKBONES.register("auto")
def auto(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Convolutions for images of 16 × 16 and more, fully connected layers for the rest."""
    return conv(sizes) if is_large(sizes.spec.shape) else mlp(sizes)


@BACKBONES.register("map", map=True)
def feature_map(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Convolutions to a smaller map and back: a code of images that keeps height and width."""
    need_image("map", sizes)
    channels = (32, 64) if sizes.hidden is None else tuple(sizes.hidden)
    factor, activation = sizes.downsample, sizes.activation
    return (
        MapEncoder(sizes.spec.shape, channels, factor, activation=activation),
        MapDecoder(sizes.latent_shape, sizes.output_shape, channels, factor, activation=activation),
    )


@BACKBONES.register("kl", map=True)
def kl(
    sizes: Sizes,
    channels: Sequence[int] | None = None,
    layers: int = 1,
    groups: int | None = None,
    attention: bool = True,
    post_quant: bool = True,
    checkpointing: bool = False,
) -> tuple[Encoder, Decoder]:
    """The autoencoder of latent diffusion: residual blocks, one attention, a smaller map and back.

    Args:
        sizes: What it is built for.
        channels: Widths of the stages, log2(downsample) + 1 of them; the last serves for all
            further ones. None takes the common widths.
        layers: Residual blocks in a stage.
        groups: Of the normalisation; None takes 32 for published widths and up to 8 for less.
        attention: Whether the smallest map is attended to.
        post_quant: Whether a 1 × 1 convolution reads the latents first.
        checkpointing: Whether training computes blocks twice in place of keeping what is in them.

    Raises:
        OptionError: The stages do not make the map, or another activation was asked for.
    """
    if sizes.activation != "silu":
        raise OptionError(
            f"network 'kl' has the activation 'silu' throughout, not {sizes.activation!r}: leave "
            "it out, or use network='map'."
        )
    widths = tuple(channels or sizes.hidden or (32, 64))
    stages = sizes.downsample.bit_length()
    if len(widths) > stages:
        raise OptionError(
            f"network 'kl' with {len(widths)} stages makes a map {2 ** (len(widths) - 1)} times "
            f"smaller, not {sizes.downsample} times: give {stages} widths, or another downsample."
        )
    widths += widths[-1:] * (stages - len(widths))
    groups = (
        math.gcd(32 if min(widths) >= PUBLISHED_WIDTH else 8, *widths) if groups is None else groups
    )
    inner: dict[str, Any] = {
        "channels": widths,
        "layers": layers,
        "groups": groups,
        "attention": attention,
    }
    encoder = KLEncoder(
        sizes.spec.shape, sizes.latent_shape[0], **inner, checkpointing=checkpointing
    )
    decoder = KLDecoder(
        sizes.latent_shape,
        sizes.output_shape,
        **inner,
        post_quant=post_quant,
        checkpointing=checkpointing,
    )
    return encoder, decoder


def need_image(network: str, sizes: Sizes) -> None:
    """Refuse data that are no images.

    Raises:
        OptionError: With what would do.
    """
    if len(sizes.spec.shape) != 3:
        raise OptionError(
            f"network {network!r} takes images (channels, height, width), and one datum here has "
            f"the shape {sizes.spec.shape}: use network='mlp' or 'residual'."
        )


def _convolutional(sizes: Sizes, blocks: int) -> tuple[Encoder, Decoder]:
    need_image("conv", sizes)
    channels = (32, 64, 128) if sizes.hidden is None else tuple(sizes.hidden)
    return (
        ConvEncoder(sizes.spec.shape, channels, blocks=blocks, activation=sizes.activation),
        ConvDecoder(
            sizes.latent_shape,
            sizes.output_shape,
            channels,
            blocks=blocks,
            activation=sizes.activation,
        ),
    )
