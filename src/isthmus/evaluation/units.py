"""The units in which models are trained and compared.

Stored greys are whole levels, and a density of whole levels can grow without bound by spiking on
them. So such data are spread evenly over their cells first: u = (level + noise) / levels with
noise in [0, 1). What a model then says of u, plus D log(levels), bounds the nats that the data
themselves take, to the last level.

Reference:
    Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models, arXiv 1511.01844,
    section 3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.data import DataSpec, Resident

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Units:
    """The map between a source's data and what models are compared on.

    Args:
        spec: Of the source.
        levels: Whole levels of one element; 0 where the data are taken as they are.
    """

    spec: DataSpec
    levels: int = 0

    @classmethod
    def of(cls, spec: DataSpec) -> Units:
        """Units for data of this spec: greys stored as whole levels are spread over their cells."""
        return cls(spec, round(spec.unit) + 1 if spec.unit > 1.0 else 0)

    @property
    def countable(self) -> bool:
        """Whether a datum is one of countably many, so that its NLL is a number of bits."""
        return bool(self.levels) or self.spec.support in COUNTABLE

    @property
    def log_cells(self) -> float:
        """Nats to add to a negative log density to bound the nats of the data themselves."""
        return self.spec.size * math.log(self.levels) if self.levels else 0.0

    @property
    def log_step(self) -> float:
        """The factor, as its ln, by which a density of an element is higher than in its levels.

        In the data's own unit where there are no levels.
        """
        return math.log(self.levels) if self.levels else self.spec.log_unit

    def spread(self, source: Resident, seed: int) -> Resident:
        """The source that models are trained and measured on."""
        if not self.levels:
            return source
        x = torch.cat([batch.x for batch in source.chunks(4096)])
        noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))
        return Resident(
            (x * self.spec.unit + noise) / self.levels,
            replace(self.spec, unit=1.0, length=len(x)),
            labels=source.labels,
            factors=source.factors,
            condition=source.condition,
            notes=source.notes,
            test_from=source.test_from,
        )

    def centred(self, u: Floats) -> Floats:
        """The data's values at u, in the middle of a cell where there are cells."""
        return (u * self.levels - 0.5) / self.spec.unit if self.levels else u

    def settled(self, u: Floats) -> Floats:
        """U as values that the data could have: whole levels, or inside the support."""
        if self.levels:
            return np.clip(np.floor(u * self.levels), 0, self.levels - 1) / self.spec.unit
        low, high, step = SETTLED.get(self.spec.support, (None, None, 0.0))
        u = np.round(u / step) * step if step else u
        return np.clip(u, low, high) if low is not None else u


COUNTABLE = frozenset({"binary", "count", "category"})
# Lowest and highest value, and the step between values, of one element of each bounded support.
SETTLED: dict[str, tuple[float | None, float | None, float]] = {
    "unit": (0.0, 1.0, 0.0),
    "binary": (0.0, 1.0, 1.0),
    "count": (0.0, None, 1.0),
}


def as_floats(x: Tensor) -> Floats:
    """A tensor as float64 on the host."""
    result: Floats = x.detach().cpu().double().numpy()
    return result
