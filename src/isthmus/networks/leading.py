"""A decoder that reads a part of the code."""

from __future__ import annotations

from typing import final

from torch import Tensor

from isthmus.networks.base import DECODERS, Decoder


@final
@DECODERS.register("leading")
class LeadingDecoder(Decoder):
    """Another decoder, that reads the first `width` numbers of a code: a hierarchy's lowest level.

    Args:
        decoder: Of codes (width,).
        width: How many numbers it reads.
    """

    def __init__(self, decoder: Decoder, width: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.width = width

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.decoder(z[:, : self.width])
        return result
