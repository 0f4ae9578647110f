"""An encoder of data with gaps."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from isthmus.networks.base import ENCODERS, Encoder


@final
@ENCODERS.register("masked")
class MaskedEncoder(Encoder):
    """Another encoder of [x with zeros in its gaps, 1 where x is there], one after the other along
    the first axis of a datum.

    Args:
        encoder: Made for data of twice the first axis.

    Reference:
        Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data
        Sets, arXiv 1812.02633.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.features = encoder.features
        self.grid = encoder.grid

    def forward(self, x: Tensor) -> Tensor:
        absent = torch.isnan(x)
        filled = torch.where(absent, torch.zeros_like(x), x)
        result: Tensor = self.encoder(torch.cat([filled, (~absent).to(x.dtype)], 1))
        return result
