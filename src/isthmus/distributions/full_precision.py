"""Densities that autocast must not touch."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.maths import full_precision


@final
class FullPrecision(Distribution):
    """Another distribution, whose networks compute in single precision or better.

    Args:
        base: The distribution, such as a normalising flow.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, base: Distribution) -> None:
        self.base = base
        self.has_rsample = base.has_rsample
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        with torch.autocast(value.device.type, enabled=False):
            result: Tensor = self.base.log_prob(full_precision(value))
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        result: Tensor = self.base.rsample(torch.Size(sample_shape))
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self.base.sample(torch.Size(sample_shape))
