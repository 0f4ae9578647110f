"""The perceptual distance in features of convolutions that nobody trained."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.perceptual.base import (
    COLOURS,
    PERCEPTUAL,
    Perceptual,
    in_colour,
    per_picture,
    unit_length,
)

# A scale is left out where its pictures would be smaller than this.
SMALLEST_SCALE = 4
# Of the features' squared length, below which a place counts as flat.
FLAT = 1e-2


@final
@PERCEPTUAL.register("random-features")
class RandomFeatures(Perceptual):
    """The squared difference of normalised random features, at several scales.

    At each scale, half the size of the one before, a convolution of orthonormal 5 × 5 filters and
    another of 3 × 3 ones on its rectified output give two maps of features; at each place they are
    brought to unit length, as in LPIPS, and their squared differences summed. The result is the
    mean over places, maps and scales. The filters come from the seed alone.

    Args:
        width: Filters in a map, at most 72.
        scales: How many, from the finest on; small pictures have fewer.
        seed: Of the filters.

    Reference:
        Amir & Weiss, Understanding and Simplifying Perceptual Distances, CVPR 2021 (untrained
        features); Zhang et al., arXiv 1801.03924 (the normalisation).
    """

    def __init__(self, width: int = 32, scales: int = 3, seed: int = 0) -> None:
        super().__init__()
        self.scales = scales
        draw = torch.Generator().manual_seed(seed)
        fine = _orthonormal(width, COLOURS, 5, draw)
        self.register_buffer("fine", fine, persistent=False)
        self.register_buffer("coarse", _orthonormal(width, width, 3, draw), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        pictures = torch.cat([in_colour(x), in_colour(y)])
        total, maps = torch.zeros((), device=x.device), 0
        for scale in range(self.scales):
            if scale:
                pictures = F.avg_pool2d(pictures, 2)
            for features in self._features(pictures):
                a, b = unit_length(features, FLAT).chunk(2)
                total, maps = total + (a - b).square().sum(1).mean((1, 2)), maps + 1
            if min(pictures.shape[-2:]) < 2 * SMALLEST_SCALE:
                break
        return per_picture(total / maps, len(x))

    def _features(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.get_buffer("fine"), self.get_buffer("coarse")
        first = F.conv2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), fine.to(pictures))
        rectified = F.pad(first.relu(), (1, 1, 1, 1), mode="replicate")
        return first, F.conv2d(rectified, coarse.to(rectified)).relu()


def _orthonormal(wide: int, narrow: int, side: int, draw: torch.Generator) -> Tensor:
    """Filters (wide, narrow, side, side) of zero mean, orthonormal among themselves."""
    numbers = torch.randn(narrow * side * side, wide, generator=draw)
    filters, _ = torch.linalg.qr(numbers - numbers.mean(0))
    return filters.T.reshape(wide, narrow, side, side).contiguous()
