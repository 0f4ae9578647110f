"""The uniform prior over categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.distributions import OneHotCategorical
from isthmus.priors.base import PRIORS, Infer, Prior


@final
@PRIORS.register("uniform-categorical")
class UniformCategorical(Prior):
    """p(z) = every category as likely as any other.

    Args:
        latent_shape: Z, whose last axis are the categories.
    """

    space = "simplex"

    def __init__(self, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(*latent_shape), persistent=False)

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> OneHotCategorical:
        logits = self.get_buffer("logits")
        return OneHotCategorical(logits, logits.ndim)
