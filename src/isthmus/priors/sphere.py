"""The uniform prior on the sphere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.distributions import SphereUniform
from isthmus.errors import OptionError
from isthmus.priors.base import PRIORS, Infer, Prior


@final
@PRIORS.register("sphere-uniform")
class UniformSphere(Prior):
    """p(z) = uniform on the unit sphere of R^Z.

    Args:
        latent_shape: Z, one axis of at least 2.

    Raises:
        OptionError: The code has more than one axis, or a single number.
    """

    space = "sphere"

    def __init__(self, latent_shape: Sequence[int]) -> None:
        super().__init__()
        if len(latent_shape) != 1 or latent_shape[0] < 2:
            raise OptionError(
                "The prior 'sphere-uniform' takes a code of one axis and at least 2 numbers, not "
                f"the shape {tuple(latent_shape)}: use 'standard-normal', or a larger latent_dim."
            )
        self.register_buffer("like", torch.zeros(*latent_shape), persistent=False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> SphereUniform:
        return SphereUniform(self.get_buffer("like"))
