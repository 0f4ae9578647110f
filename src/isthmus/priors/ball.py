"""The wrapped normal prior on the Poincaré ball."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.distributions.wrapped_normal import WrappedNormal, ball
from isthmus.priors.base import PRIORS, Infer, Prior, one_axis


@final
@PRIORS.register("ball-normal")
class BallNormal(Prior):
    """p(z) = wrapped normal around the origin of the Poincaré ball.

    Args:
        latent_shape: Z, one axis.
        curvature: How strongly the ball bends, as the posterior has it.
        scale: The standard deviation along each axis, in units of distance.

    Raises:
        OptionError: The code has more than one axis, or the curvature is not positive.

    Reference:
        Mathieu et al., arXiv 1901.06033.
    """

    space = "ball"

    def __init__(
        self, latent_shape: Sequence[int], curvature: float = 1.0, scale: float = 1.0
    ) -> None:
        super().__init__()
        width = one_axis("ball-normal", latent_shape)
        self.space = ball(curvature)
        self.curvature = curvature
        self.register_buffer("loc", torch.zeros(width), persistent=False)
        self.register_buffer("scale", torch.full((width,), float(scale)), persistent=False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> WrappedNormal:
        return WrappedNormal(self.get_buffer("loc"), self.get_buffer("scale"), self.curvature)
