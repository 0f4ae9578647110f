"""A Gaussian prior whose mean and variance follow from the condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal
from isthmus.maths import full_precision
from isthmus.networks import ACTIVATIONS
from isthmus.networks.conditioned import check_condition, check_width
from isthmus.priors.base import PRIORS, Infer, Prior

# exp(.5 * 20) and exp(.5 * -20): wide enough for any code, narrow enough for float32.
LOG_VARIANCE_RANGE = (-20.0, 20.0)


@final
@PRIORS.register("conditional")
class ConditionalNormal(Prior):
    """p(z|u) = Normal(mean(u), diag(variance(u))), both from one network of the condition u.

    Given a Gaussian of its own for each of enough values of u, the sources of a deep model are
    identified up to order and scale, which a prior without a condition cannot do.

    Args:
        latent_shape: Z.
        condition_dim: C.
        hidden: Widths of the network's hidden layers.
        activation: Name of the activation after each of them.

    Raises:
        OptionError: The data have no condition.

    Reference:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA, arXiv 1907.04809.
    """

    conditional = True

    def __init__(
        self,
        latent_shape: Sequence[int],
        condition_dim: int = 0,
        hidden: Sequence[int] = (64,),
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.width = check_width(condition_dim, "The prior 'conditional'")
        self.latent_shape = tuple(latent_shape)
        layers: list[nn.Module] = []
        width = condition_dim
        for wider in hidden:
            layers += [nn.Linear(width, wider), ACTIVATIONS.create(activation)]
            width = wider
        self.layers = nn.Sequential(*layers, nn.Linear(width, 2 * math.prod(latent_shape)))

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> DiagonalNormal:
        given = check_condition(condition, self.width, "prior")
        out = full_precision(self.layers(given)).unflatten(-1, (2, *self.latent_shape))
        mean, log_variance = out.unbind(1)
        scale = log_variance.clamp(*LOG_VARIANCE_RANGE).mul(0.5).exp()
        return DiagonalNormal(mean, scale, len(self.latent_shape))
