"""The posterior on the Poincaré ball."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.distributions.wrapped_normal import WrappedNormal, ball, exp_map, within_ball
from isthmus.maths import double_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import location_scale, one_axis
from isthmus.registry import pick


@final
@POSTERIORS.register("wrapped-normal")
class BallPosterior(Posterior):
    """q(z|x) = wrapped normal on the Poincaré ball around the point that a tangent at the origin
    leads to; tangent and scales are linear in the features.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z, one axis.
        curvature: How strongly the ball bends, minus its sectional curvature.

    Raises:
        OptionError: The code has more than one axis, or the curvature is not positive.

    Reference:
        Mathieu et al., arXiv 1901.06033.
    """

    has_density = True
    has_mode = True
    space = "ball"

    def __init__(self, features: int, latent_shape: Sequence[int], curvature: float = 1.0) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        one_axis("wrapped-normal", "a code", latent_shape, "'diagonal'")
        self.space = ball(curvature)
        self.curvature = curvature
        self.chart = pick("tangent", curvature=curvature)
        self.head = nn.Linear(features, 2 * self.latent_shape[0])

    def forward(self, h: Tensor) -> WrappedNormal:
        tangent, scale = location_scale(self.head(h), self.latent_shape)
        wide = double_precision(tangent)
        loc = within_ball(exp_map(0.0 * wide, wide, self.curvature), self.curvature)
        return WrappedNormal(loc.to(tangent.dtype), scale, self.curvature)
