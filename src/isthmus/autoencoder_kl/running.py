"""Networks over images, a slice of the batch at a time, on the device that holds the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from isthmus.autoencoder_kl.images import slices
from isthmus.autoencoder_kl.parts import Parts
from isthmus.networks.kl.strips import decode_strips, encode_strips

Memory = int | str | None


def encode_moments(
    parts: Parts, x: Tensor, batch_size: int | None, memory: Memory
) -> tuple[Tensor, Tensor]:
    """Mean and log-variance (B, Z, h, w) of q(z|x) for x (B, C, H, W), on the device of x."""
    found = [
        parts.posterior.moments(encode_strips(parts.encoder, part, memory))
        for part in _as_weights(parts, x, batch_size, x.shape[2:])
    ]
    mean, log_variance = (torch.cat(both).to(x.device) for both in zip(*found, strict=True))
    return mean, log_variance


def decode_images(
    parts: Parts,
    z: Tensor,
    size: Sequence[int] | None,
    batch_size: int | None,
    memory: Memory,
) -> Tensor:
    """Images (B, C, *size) from latents (B, Z, h, w), on the device and in the type of z."""
    whole = [parts.decoder.factor * side for side in z.shape[2:]]
    return torch.cat(
        [
            cropped(decode_strips(parts.decoder, part, memory), size or whole).to(z)
            for part in _as_weights(parts, z, batch_size, whole)
        ]
    )


def cropped(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images (B, C, ...) down to their first (H, W) pixels."""
    return images[..., : size[0], : size[1]]


def _as_weights(
    parts: Parts, x: Tensor, batch_size: int | None, size: Sequence[int]
) -> Iterator[Tensor]:
    """Slices of x, of as many pixels as images of this size have, as the weights are held."""
    like = next(parts.encoder.parameters())
    for part in slices(x, batch_size, size[0] * size[1]):
        yield part.to(like.device, like.dtype)
