"""The prior of a joint code: standard normal, and every category as likely as any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from isthmus.distributions import ContinuousOneHot
from isthmus.errors import OptionError
from isthmus.priors.base import PRIORS, Infer, Prior, one_axis
from isthmus.priors.categorical import UniformCategorical
from isthmus.priors.normal import StandardNormal


@final
@PRIORS.register("joint")
class JointPrior(Prior):
    """p(z) = Normal(0, I) beside uniform choices among categories.

    Args:
        latent_shape: Z, one axis: the whole code of the posterior 'joint'.
        n_choices: G, as the posterior has it.
        n_categories: K, likewise.

    Raises:
        OptionError: The code has more than one axis, or no room for the choices.
    """

    space = "joint"

    def __init__(
        self, latent_shape: Sequence[int], n_choices: int = 1, n_categories: int = 10
    ) -> None:
        super().__init__()
        width = one_axis("joint", latent_shape) - n_choices * n_categories
        if width < 1:
            raise OptionError(
                f"The prior 'joint' needs a code of more than {n_choices * n_categories} numbers, "
                f"not {latent_shape[0]}: use it with the posterior 'joint', or the prior "
                "'standard-normal'."
            )
        self.continuous = StandardNormal((width,))
        self.discrete = UniformCategorical((n_choices, n_categories))
        self.space = f"joint of {n_choices} x {n_categories}"

    def forward(
        self, condition: Tensor | None = None, infer: Infer | None = None
    ) -> ContinuousOneHot:
        return ContinuousOneHot(self.continuous(condition), self.discrete(condition))
