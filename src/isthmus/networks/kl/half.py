"""Half precision without overflow: the residual stream in units in which float16 can hold it.

Every part of these networks reads the residual stream through a normalisation, to which a common
factor is nothing: norm(h; eps) = norm(h / s; eps / s^2). So whatever writes to the stream can be
divided by s, a power of two, once in its weights, and the network computes what it did before.
"""

from __future__ import annotations

import re
from math import ceil, log2
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.networks.kl.decoder import KLDecoder
from isthmus.networks.kl.encoder import KLEncoder

Network = TypeVar("Network", KLEncoder, KLDecoder)

# How many times larger other data's stream may be than that of the example.
HEADROOM = 16.0
# Latents of the published models are so wide before they are scaled.
LATENT_DEVIATION = 5.0

# What reads normalised values and writes what is normalised next, and what reads and writes these.
_WRITES = re.compile(r"(^|\.)(conv_in|conv1|conv2|to_out\.0)\.(weight|bias)$")
_PASSES_ON = re.compile(r"(^|\.)(conv_shortcut|(down|up)samplers\.0\.conv)\.bias$")


def half(
    network: Network, dtype: torch.dtype = torch.float16, example: Tensor | None = None
) -> Network:
    """A copy of a network in half precision; for float16 its stream is rescaled to fit.

    The normalisation's statistics stay float32. Rescaling is exact; what is left is the rounding
    of weights and maps, about 1e-3 relative in float16 and 1e-2 in bfloat16.

    Args:
        network: In float32 or bfloat16.
        dtype: torch.float16 or torch.bfloat16.
        example: What it is to read, (N, *D): the stream's size is measured on it, and may be 16
            times larger elsewhere. None takes noise.

    Raises:
        OptionError: Another dtype, or the stream is not finite even in float32.
    """
    if dtype not in (torch.float16, torch.bfloat16):
        raise OptionError(f"half precision is torch.float16 or torch.bfloat16, not {dtype}.")
    if dtype == torch.bfloat16:
        return rescaled(network, network.stream_scale).to(dtype)
    wide = rescaled(network, 1.0).float()
    peak = stream_peak(wide, _example(wide) if example is None else example)
    if not peak < torch.inf:
        raise OptionError(
            "This network's maps are not finite in float32 either: its weights hold NaN or are "
            "too large."
        )
    scale = 2.0 ** max(0, ceil(log2(max(peak, 1.0) * HEADROOM / torch.finfo(dtype).max)))
    return rescaled(wide, scale).to(dtype)


def rescaled(network: Network, stream_scale: float) -> Network:
    """A copy whose residual stream is divided by `stream_scale`; 1.0 gives the published weights.

    Args:
        network: Whatever its own scale is.
        stream_scale: A power of two, so that no weight is rounded.
    """
    factor = network.stream_scale / stream_scale
    with torch.device("meta"):
        copy = type(network)(**{**network._given, "stream_scale": stream_scale})
    state = {
        name: (t * factor if _WRITES.search(name) or _PASSES_ON.search(name) else t.clone())
        for name, t in network.state_dict().items()
    }
    copy.load_state_dict(state, assign=True)
    for made, own in zip(copy.parameters(), network.parameters(), strict=True):
        made.requires_grad_(own.requires_grad)
    return copy.train(network.training)


def stream_peak(network: KLEncoder | KLDecoder, example: Tensor) -> float:
    """The largest absolute value that any normalisation reads."""
    found: list[Tensor] = []

    def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0].abs().amax())

    norms = [m for m in network.modules() if isinstance(m, nn.GroupNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        with torch.no_grad():
            weight = next(network.parameters())
            network(example.to(weight.device, weight.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return float(torch.stack(found).amax())


def _example(network: KLEncoder | KLDecoder) -> Tensor:
    """Noise, and noise that is smooth, on a map of eight cells a side."""
    generator = torch.Generator().manual_seed(0)
    decodes = isinstance(network, KLDecoder)
    side = 8 if decodes else 8 * network.factor
    width, axes = network.conv_in.weight.shape[1], network.conv_in.weight.dim() - 2
    noise = torch.randn(1, width, *[side] * axes, generator=generator)
    rough = torch.randn(1, width, *[2] * axes, generator=generator)
    smooth = F.interpolate(rough, scale_factor=side // 2, mode="nearest")
    both = torch.cat([noise, smooth])
    return both * LATENT_DEVIATION if decodes else both.clamp(-1.0, 1.0)
