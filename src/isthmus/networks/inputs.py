"""What an encoder does to its input before its first layer."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.networks.base import ENCODERS, Encoder


@final
@ENCODERS.register("log1p")
class LogEncoder(Encoder):
    """Another encoder of log(1 + x): counts of one and of a thousand on one scale.

    Args:
        encoder: The encoder of the logarithms.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.features = encoder.features
        self.grid = encoder.grid

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.encoder(torch.log1p(x))
        return result
