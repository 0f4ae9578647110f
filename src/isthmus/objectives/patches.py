"""The critic of pictures that judges patch by patch, and the hinge game that it plays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.networks.conv import groups
from isthmus.objectives.critics import SLOPE

# What two convolutions of side 4 and stride 1 leave one logit of, and what they can do without.
SMALLEST_MAP, SMALLEST_SIDE = 3, 4
WIDEST = 8
SPREAD = 0.02


@final
class PatchCritic(nn.Module):
    """Pictures (N, C, H, W) -> logits (N, h, w), one for each patch, that it is real.

    `layers` strided 4 × 4 convolutions and two of stride 1; fewer where a picture is too small for
    them. Groups of channels are normalised and not the batch: a critic that reads its company would
    judge small batches, and those of several processes, by their luck.

    Args:
        shape: D = (C, H, W).
        width: Channels of the first layer, which double with each, up to eight times as many.
        layers: Strided convolutions; 3 see patches of 70 × 70 pixels.

    Raises:
        OptionError: The data are no pictures of 4 × 4 or more.

    Reference:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, arXiv
        1611.07004.
    """

    def __init__(self, shape: Sequence[int], width: int = 64, layers: int = 3) -> None:
        super().__init__()
        if len(shape) != 3 or min(shape[1:]) < SMALLEST_SIDE:
            raise OptionError(
                "A critic of patches judges images (channels, height, width) of 4 × 4 and more, "
                f"and the data have the shape {tuple(shape)}: use adversarial=0."
            )
        side, strides = min(shape[1:]), 0
        while strides < layers and side // 2 >= SMALLEST_MAP:
            side, strides = side // 2, strides + 1
        widths = [shape[0], *(width * min(2**i, WIDEST) for i in range(strides + 1))]
        stages: list[nn.Module] = []
        for i, (narrow, wide) in enumerate(pairwise(widths)):
            stride = 2 if i < strides else 1
            stages.append(nn.Conv2d(narrow, wide, 4, stride=stride, padding=1))
            stages += [nn.GroupNorm(groups(wide), wide)] if i else []
            stages.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*stages, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0.0, SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        return full_precision(self.layers(x)).squeeze(1)


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """½ (E max(0, 1 − real) + E max(0, 1 + fake)): what the critic minimises, of its logits.

    Reference:
        Lim & Ye, Geometric GAN, arXiv 1705.02894.
    """
    return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())
