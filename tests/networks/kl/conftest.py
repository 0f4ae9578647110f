"""Pairs of the oracle's model and ours with the same weights."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from isthmus.networks import KLDecoder, KLEncoder
from isthmus.posteriors import SpatialGaussian


@dataclass
class Pair:
    """The oracle, and ours: encoder, posterior, decoder."""

    oracle: nn.Module
    encoder: KLEncoder
    posterior: SpatialGaussian
    decoder: KLDecoder


def excite(module: nn.Module, gain: float = 1.0) -> None:
    """Weights large enough that every part of the network is heard in what comes out."""
    for name, p in module.named_parameters():
        if p.dim() > 1:
            nn.init.normal_(p, std=gain * 1.5 / p[0].numel() ** 0.5)
        elif name.endswith("weight"):
            nn.init.normal_(p, mean=1.0, std=0.3)
        else:
            nn.init.normal_(p, std=0.3)


def build_ours(size, channels, latent=4, layers=1, groups=4, attention=True, quant=True):
    """Encoder, posterior and decoder for images of this size."""
    encoder = KLEncoder((3, *size), latent, channels, layers, groups, attention)
    latent_shape = (latent, *encoder.grid)
    posterior = SpatialGaussian(encoder.features, latent_shape, encoder.grid, quant)
    decoder = KLDecoder(latent_shape, (1, 3, *size), channels, layers, groups, attention, quant)
    return encoder, posterior, decoder


@pytest.fixture
def make_pair() -> Callable[..., Pair]:
    """A function that builds one, by our names of the options."""
    diffusers = pytest.importorskip("diffusers", reason="the oracle of these networks")

    def make(size, channels, latent=4, layers=1, groups=4, attention=True, quant=True) -> Pair:
        oracle = diffusers.AutoencoderKL(
            block_out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            layers_per_block=layers,
            latent_channels=latent,
            norm_num_groups=groups,
            mid_block_add_attention=attention,
            use_quant_conv=quant,
            use_post_quant_conv=quant,
        ).eval()
        excite(oracle)
        encoder, posterior, decoder = build_ours(
            size, channels, latent, layers, groups, attention, quant
        )
        held: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "decoder": {}, "quant_conv": {}}
        for key, value in oracle.state_dict().items():
            part, _, rest = key.partition(".")
            if part == "post_quant_conv":
                part, rest = "decoder", key
            held[part][key if part == "quant_conv" else rest] = value
        encoder.load_state_dict(held["encoder"])
        posterior.load_state_dict(held["quant_conv"])
        decoder.load_state_dict(held["decoder"])
        return Pair(oracle, encoder, posterior, decoder)

    return make
