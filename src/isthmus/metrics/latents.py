"""Codes as what another model learns from: channel by channel, and the scale of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows


@final
@dataclass(frozen=True)
class LatentStatistics:
    """What N codes are like, each channel over all data and all cells of its map.

    Args:
        means: (Z,) by channel.
        deviations: (Z,) standard deviations.
        lowest: (Z,)
        highest: (Z,)
        mean: Of all numbers.
        deviation: Standard deviation of all numbers about that mean.
    """

    means: Floats
    deviations: Floats
    lowest: Floats
    highest: Floats
    mean: float
    deviation: float

    @property
    def shares(self) -> Floats:
        """(Z,) of each channel in the sum of the channels' variances."""
        variances = np.square(self.deviations)
        total = variances.sum()
        result: Floats = variances / total if total > 0 else np.full_like(variances, math.nan)
        return result

    @property
    def scaling_factor(self) -> float:
        """What codes are multiplied by to have the deviation 1 over all numbers; infinite for
        constant codes.
        """
        return 1.0 / self.deviation if self.deviation > 0 else math.inf


def latent_statistics(codes: ArrayLike) -> LatentStatistics:
    """The statistics of codes by channel.

    Args:
        codes: (N, Z) or maps (N, Z, *cells), such as (N, Z, h, w).

    Raises:
        DataError: There are no codes, or a number is not finite.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, 2112.10752,
        appendix G (the scale of codes).
    """
    array = np.asarray(codes, dtype=np.float64)
    if array.ndim < 2:
        raise DataError(f"The codes have shape {array.shape}; expected (N, Z) or (N, Z, *cells).")
    as_rows(array, "codes")
    over = (0, *range(2, array.ndim))
    return LatentStatistics(
        means=array.mean(over),
        deviations=array.std(over),
        lowest=array.min(over),
        highest=array.max(over),
        mean=float(array.mean()),
        deviation=float(array.std()),
    )
