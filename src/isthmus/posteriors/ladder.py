"""The ladder posterior: what a datum says of each level, met by the prior on the way down."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import DiagonalNormal, LadderNormal
from isthmus.distributions.ladder import level_widths
from isthmus.maths import full_precision
from isthmus.networks.mlp import stack
from isthmus.posteriors.base import POSTERIORS, TopDownPosterior

# Nothing said, and certainty, in float32.
LOG_PRECISION_RANGE = (-15.0, 15.0)


@final
@POSTERIORS.register("ladder")
class LadderPosterior(TopDownPosterior):
    """q(z|x) = q(z_L|x) Π q(z_l|z_{l+1}, x), where each level is the normalised product of the
    prior's conditional and a Gaussian that a deterministic pass from the datum upwards gives.

    A code is one vector: the levels side by side, the lowest first. It has no mode in closed form,
    so `argmax` is refused; the code "mean" is the descent by the conditional means.

    Args:
        features: H, the width of the encoder's features, which the lowest level reads.
        latent_shape: Z, one axis, shared among two levels where no widths are given.
        widths: W_1, …, W_L, the lowest first; Z is then their sum.
        hidden: Widths of the layers from one level's features to the next one's.
        activation: Name of the activation after each of them.

    Raises:
        OptionError: Fewer than two levels.

    Reference:
        Sønderby et al., Ladder Variational Autoencoders, arXiv 1602.02282.
    """

    has_density = True
    has_mode = False
    space = "ladder"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        widths: Sequence[int] | None = None,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.widths = level_widths("The posterior 'ladder'", widths, latent_shape)
        self.latent_shape = (sum(self.widths),)
        self.space = f"ladder of {' + '.join(map(str, self.widths))}"
        above = hidden[-1] if hidden else features
        read = [features] + [above] * (len(self.widths) - 1)
        self.heads = nn.ModuleList(
            nn.Linear(width, 2 * size) for width, size in zip(read, self.widths, strict=True)
        )
        self.ascents = nn.ModuleList(
            nn.Sequential(*stack([width, *hidden], activation)) for width, _ in pairwise(read)
        )

    def forward(self, h: Tensor) -> DiagonalNormal:
        """What the datum alone says of every level, side by side."""
        said = [_normal(self.heads[0](h))]
        for ascent, head in zip(self.ascents, self.heads[1:], strict=True):
            h = ascent(h)
            said.append(_normal(head(h)))
        loc, scale = (torch.cat(part, -1) for part in zip(*said, strict=True))
        return DiagonalNormal(loc, scale)

    def meet(self, q: Distribution, p: Distribution) -> LadderNormal:
        # What `forward` returned, and the prior of this space.
        return cast(LadderNormal, p).given(cast(DiagonalNormal, q))


def _normal(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scale, where the head gives the precision and the mean of the product with a
    standard normal.

    Both are then learned as fast as a plain posterior's, and a dimension that is idle, its
    precision near 0, can still be moved: of a location of its own the product would take no notice.
    """
    mean, log_precision = full_precision(numbers).chunk(2, -1)
    precision = log_precision.clamp(*LOG_PRECISION_RANGE).exp()
    return mean * (1.0 + 1.0 / precision), precision.rsqrt()
