"""The ladder prior: Gaussian levels, each given the one above."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal, LadderNormal
from isthmus.distributions.ladder import level_widths
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.networks.mlp import stack
from isthmus.priors.base import PRIORS, Infer, Prior, one_axis

# A level's scale stays within a factor e of 1. The networks choose a level's units, so that nothing
# but the ratio of its scales is bounded; without it the scale of a dimension that is idle at first
# shrinks to nothing, as the product with it takes noise off the decoder, and never wakes again.
LOG_SCALE = 1.0


@final
@PRIORS.register("ladder")
class LadderPrior(Prior):
    """p(z) = Normal(z_L; 0, I) Π Normal(z_l; mean(z_{l+1}), diag(variance(z_{l+1}))).

    Its networks are the way down that the posterior 'ladder' takes as well.

    Args:
        latent_shape: Z, one axis: all levels side by side.
        widths: W_1, …, W_L, as the posterior has them.
        hidden: Widths of the hidden layers of each level's network.
        activation: Name of the activation after each of them.

    Raises:
        OptionError: The widths do not add up to Z, or there are fewer than two.

    Reference:
        Sønderby et al., Ladder Variational Autoencoders, arXiv 1602.02282.
    """

    space = "ladder"

    def __init__(
        self,
        latent_shape: Sequence[int],
        widths: Sequence[int] | None = None,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
    ) -> None:
        super().__init__()
        size = one_axis("ladder", latent_shape)
        self.widths = level_widths("The prior 'ladder'", widths, latent_shape)
        if sum(self.widths) != size:
            raise OptionError(
                f"The prior 'ladder' has levels of widths {self.widths} and the codes have {size} "
                "numbers: give the posterior 'ladder' the same widths."
            )
        self.space = f"ladder of {' + '.join(map(str, self.widths))}"
        self.descents = nn.ModuleList(
            nn.Sequential(
                *stack([above, *hidden], activation),
                nn.Linear([above, *hidden][-1], 2 * below),
            )
            for below, above in pairwise(self.widths)
        )
        self.register_buffer("zero", torch.zeros(self.widths[-1]), persistent=False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> LadderNormal:
        zero = self.get_buffer("zero")
        top = DiagonalNormal(zero, torch.ones_like(zero), is_standard=True)
        return LadderNormal(self.widths, top, [partial(_below, net) for net in self.descents])


def _below(network: nn.Module, above: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scale of a level, from the level above."""
    location, log_scale = full_precision(network(above)).chunk(2, -1)
    return location, (LOG_SCALE * (log_scale / LOG_SCALE).tanh()).exp()
