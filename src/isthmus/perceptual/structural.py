"""The perceptual distance that compares structure at several scales."""

from __future__ import annotations

from typing import final

from torch import Tensor

from isthmus.errors import OptionError
from isthmus.maths import full_precision, without_autocast
from isthmus.perceptual.base import PERCEPTUAL, Perceptual
from isthmus.ssim import multi_scale_similarity


@final
@PERCEPTUAL.register("structural")
class Structural(Perceptual):
    """1 − MS-SSIM: no weights are needed.

    Args:
        window: Side of the Gaussian window; pictures that hold few of them use fewer scales.

    Raises:
        OptionError: The window has an even side.

    Reference:
        Wang, Simoncelli & Bovik, Multi-Scale Structural Similarity for Image Quality Assessment,
        2003.
    """

    smallest = 2

    def __init__(self, window: int = 11) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise OptionError(f"The window's side is an odd number, got {window}.")
        self.window = window

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        # Variances are differences of squares, which half precision would cancel.
        with without_autocast(x):
            a, b = (0.5 * (full_precision(t) + 1.0) for t in (x, y))
            return 1.0 - multi_scale_similarity(a, b, self.window)
