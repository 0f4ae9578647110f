"""The contract of a perceptual distance, and what several of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from isthmus.maths import full_precision
from isthmus.registry import Part, Registry

PERCEPTUAL = Registry("perceptual distance")

COLOURS = 3


class Perceptual(Part, nn.Module, ABC):
    """How different two pictures look; nothing of it is learned, and gradients reach the pictures.

    Attributes:
        smallest: The least height and width of a picture.
    """

    smallest: int = 1

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The distances (N,) of pictures (N, C, H, W) with values in [−1, 1]; 0 where equal."""


def in_colour(pictures: Tensor) -> Tensor:
    """(N, C, H, W) as pictures of three channels: (N, 3, H, W).

    Where C is not 3 each channel is a grey picture of its own: (N · C, 3, H, W).
    """
    if pictures.shape[1] == COLOURS:
        return pictures
    return pictures.flatten(0, 1).unsqueeze(1).expand(-1, COLOURS, -1, -1)


def per_picture(distances: Tensor, pictures: int) -> Tensor:
    """The mean over what `in_colour` made of each of so many pictures: (N,)."""
    return distances if len(distances) == pictures else distances.view(pictures, -1).mean(1)


def unit_length(features: Tensor, floor: float) -> Tensor:
    """Features (N, F, h, w) divided by √(floor + ‖·‖²) over F at each place, in full precision."""
    wide = full_precision(features)
    return wide * torch.rsqrt(floor + wide.square().sum(1, keepdim=True))
