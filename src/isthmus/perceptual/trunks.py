"""The networks in whose features LPIPS compares, laid out as torchvision numbers their layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import nn

from isthmus.registry import Registry

TRUNKS = Registry("feature network")


@final
@dataclass(frozen=True)
class Trunk:
    """Layers, and after which of them their features are read.

    Args:
        layers: Numbered as torchvision's `features`.
        taps: The numbers of the rectified layers that are read.
        widths: Their channels.
        smallest: The least height and width of a picture.
    """

    layers: nn.Sequential
    taps: tuple[int, ...]
    widths: tuple[int, ...]
    smallest: int


@TRUNKS.register("vgg16")
def vgg16() -> Trunk:
    """Thirteen 3 × 3 convolutions in five stages, read after the last one of each.

    Reference:
        Simonyan & Zisserman, arXiv 1409.1556.
    """
    layers: list[nn.Module] = []
    narrow = 3
    for stage, (wide, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers += [nn.MaxPool2d(2, 2)] if stage else []
        for _ in range(count):
            layers += [nn.Conv2d(narrow, wide, 3, padding=1), nn.ReLU()]
            narrow = wide
    return Trunk(nn.Sequential(*layers), (3, 8, 15, 22, 29), (64, 128, 256, 512, 512), 16)


@TRUNKS.register("alexnet")
def alexnet() -> Trunk:
    """Five convolutions, each read once rectified.

    Reference:
        Krizhevsky, arXiv 1404.5997.
    """
    layers = (
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )
    return Trunk(nn.Sequential(*layers), (1, 4, 7, 9, 11), (64, 192, 384, 256, 256), 31)
