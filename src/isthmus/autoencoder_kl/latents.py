"""Latents in the units of a diffusion model, and what the units are estimated from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.data import Source
from isthmus.errors import DataError
from isthmus.pretrained import KLConfig

# Images that are read from a source at a time.
_CHUNK = 64


class LatentMoments(NamedTuple):
    """Statistics of latents, over data and space.

    Args:
        mean: (Z,) float64.
        variance: (Z,) float64.
        cells: Cells that were looked at.
    """

    mean: Tensor
    variance: Tensor
    cells: int


def to_scaled(z: Tensor, config: KLConfig) -> Tensor:
    """Latents (B, Z, h, w) as a diffusion model reads them.

    (z - shift) * factor, or (z - mean) / std * factor where the config has a mean and a standard
    deviation of each channel.
    """
    shift, scale = _affine(z, config)
    return (z - shift) / scale


def from_scaled(z: Tensor, config: KLConfig) -> Tensor:
    """The inverse of `to_scaled`."""
    shift, scale = _affine(z, config)
    return z * scale + shift


def _affine(z: Tensor, config: KLConfig) -> tuple[Tensor, Tensor]:
    """Shift and scale, (Z, 1, 1) or (), such that z = scaled * scale + shift."""
    if config.latents_mean is not None and config.latents_std is not None:
        mean, std = z.new_tensor(config.latents_mean), z.new_tensor(config.latents_std)
        return mean[:, None, None], std[:, None, None] / config.scaling_factor
    shift = 0.0 if config.shift_factor is None else config.shift_factor
    return z.new_tensor(shift), z.new_tensor(1.0 / config.scaling_factor)


def scaled_by(config: KLConfig, found: LatentMoments, per_channel: bool) -> KLConfig:
    """The config under which latents with these moments have mean 0 and variance 1.

    Raises:
        DataError: A variance is 0.
    """
    if found.cells < 2 or float(found.variance.min()) <= 0.0:
        flat = torch.nonzero(found.variance <= 0)[:, 0].tolist()
        raise DataError(
            f"Scaling cannot be estimated from {found.cells} cells in which the latent channels "
            f"{flat} do not vary: give more and different images."
        )
    if per_channel:
        std = found.variance.sqrt()
        return config.with_scaling(mean=found.mean.tolist(), std=std.tolist())
    mean = found.mean.mean()
    # Over all channels together: within each, and between their means.
    variance = found.variance.mean() + (found.mean - mean).square().mean()
    return config.with_scaling(factor=float(variance.rsqrt()), shift=float(mean))


def pooled(parts: Iterable[tuple[Tensor, Tensor]]) -> LatentMoments:
    """Moments over data and space of codes that are themselves random.

    Var z = Var(mean of q) + E(variance of q), exactly: nothing is drawn.

    Args:
        parts: Mean and variance (B, Z, h, w) of q, batch by batch.

    Raises:
        DataError: There are none.
    """
    mean, squares, within, n = torch.zeros(()), torch.zeros(()), torch.zeros(()), 0
    for loc, variance in parts:
        values = loc.double().transpose(0, 1).flatten(1)
        added = values.shape[1]
        if not added:
            continue
        middle = values.mean(1)
        if n == 0:
            mean, squares, within = (torch.zeros_like(middle) for _ in range(3))
        delta = middle - mean
        total = n + added
        squares = squares + (values - middle[:, None]).square().sum(1)
        squares = squares + delta.square() * (n * added / total)
        within = within + variance.double().transpose(0, 1).flatten(1).sum(1)
        mean, n = mean + delta * (added / total), total
    if n == 0:
        raise DataError("Scaling cannot be estimated from no images: give at least one batch.")
    return LatentMoments(mean.cpu(), ((squares + within) / n).cpu(), n)


def batches(data: Source | Tensor | Iterable[Tensor]) -> Iterator[Tensor]:
    """Images (B, C, H, W) in [-1, 1]: of a source in [0, 1], a tensor, or many tensors."""
    if isinstance(data, Source):
        moved = data.spec.support in ("unit", "binary")
        for batch in data.chunks(_CHUNK):
            yield 2.0 * batch.x - 1.0 if moved else batch.x
    elif isinstance(data, Tensor):
        yield data
    else:
        yield from data
