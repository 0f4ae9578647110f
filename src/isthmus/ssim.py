"""Structural similarity of images, at one scale and at several."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the paper, from the finest scale to the coarsest, and its constants for a range of 1.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1, C2 = 0.01**2, 0.03**2
SIGMA = 1.5


def gaussian_window(size: int, like: Tensor) -> Tensor:
    """`size` weights of a Gaussian of standard deviation 1.5 that sum to one."""
    place = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2.0
    weights = (-0.5 * (place / SIGMA).square()).exp()
    return weights / weights.sum()


def similarity(a: Tensor, b: Tensor, window: int = 11) -> tuple[Tensor, Tensor]:
    """Luminance · contrast-structure, and contrast-structure alone, averaged over each image.

    Args:
        a: (N, C, H, W) with values in [0, 1].
        b: The same.
        window: Side of the Gaussian window; the windows that fit wholly into the image count.

    Returns:
        (N, C) SSIM, and (N, C) its contrast-structure part.

    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004.
    """
    weights = gaussian_window(window, a)
    channels = a.shape[1]

    def local_mean(images: Tensor) -> Tensor:
        down = weights.view(1, 1, -1, 1).expand(channels, 1, window, 1)
        across = weights.view(1, 1, 1, -1).expand(channels, 1, 1, window)
        return F.conv2d(F.conv2d(images, down, groups=channels), across, groups=channels)

    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a = local_mean(a * a) - mean_a.square()
    variance_b = local_mean(b * b) - mean_b.square()
    covariance = local_mean(a * b) - mean_a * mean_b
    structure = (2.0 * covariance + C2) / (variance_a + variance_b + C2)
    luminance = (2.0 * mean_a * mean_b + C1) / (mean_a.square() + mean_b.square() + C1)
    return (luminance * structure).mean((-2, -1)), structure.mean((-2, -1))


def fitting_scales(height: int, width: int, window: int = 11) -> tuple[int, int]:
    """How many scales of the five an image has room for, and the window's side.

    Every scale must hold a whole window. An image smaller than one window gets one scale and the
    largest odd window that fits.
    """
    side = min(height, width)
    if side < window:
        return 1, side - 1 + side % 2
    return min(len(SCALE_WEIGHTS), 1 + int(math.log2(side / window))), window


def multi_scale_similarity(a: Tensor, b: Tensor, window: int = 11) -> Tensor:
    """MS-SSIM: contrast-structure at every scale and luminance at the coarsest, multiplied.

    Images too small for five scales use as many as they have room for, whose weights are scaled to
    sum to one. A scale at which two images are opposed counts as zero.

    Args:
        a: (N, C, H, W) with values in [0, 1].
        b: The same.
        window: Side of the Gaussian window.

    Returns:
        (N,), 1 for equal images.

    Reference:
        Wang, Simoncelli & Bovik, Multi-Scale Structural Similarity for Image Quality Assessment,
        2003; as a loss: Snell et al., arXiv 1511.06409.
    """
    scales, window = fitting_scales(a.shape[-2], a.shape[-1], window)
    weights = [w / sum(SCALE_WEIGHTS[:scales]) for w in SCALE_WEIGHTS[:scales]]
    result = torch.ones_like(a[:, :, 0, 0])
    for scale, weight in enumerate(weights):
        whole, structure = similarity(a, b, window)
        part = whole if scale == scales - 1 else structure
        # Not at zero itself, where a power below one has no slope.
        result = result * part.clamp(min=1e-6) ** weight
        if scale < scales - 1:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return result.mean(1)
