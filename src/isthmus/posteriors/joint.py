"""The joint posterior: a continuous and a discrete code side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, final

from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions import ContinuousOneHot
from isthmus.posteriors.base import POSTERIORS, ClassifyingPosterior
from isthmus.posteriors.categorical import CategoricalPosterior, standardised_classes
from isthmus.posteriors.diagonal import DiagonalGaussian
from isthmus.posteriors.heads import one_axis
from isthmus.schedules import Schedule


@final
@POSTERIORS.register("joint")
class JointPosterior(ClassifyingPosterior):
    """q(z|x) = a diagonal Gaussian beside choices among categories, independent given x.

    A code is one vector: C numbers, then G one-hot vectors of K.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: C, the continuous part, one axis.
        n_choices: G.
        n_categories: K.
        temperature: Of the discrete part's relaxation, over the progress of training; by default
            from 1 to 0.5.

    Raises:
        OptionError: The code has more than one axis.

    Reference:
        Dupont, Learning Disentangled Joint Continuous and Discrete Representations, arXiv
        1804.00104.
    """

    has_density = True
    has_mode = True
    has_probabilities = True
    space = "joint"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        n_choices: int = 1,
        n_categories: int = 10,
        temperature: Schedule | None = None,
    ) -> None:
        super().__init__()
        one_axis("joint", "a continuous part", latent_shape, "'diagonal' or 'categorical'")
        self.continuous = DiagonalGaussian(features, latent_shape)
        self.discrete = CategoricalPosterior(features, (n_choices,), n_categories, temperature)
        self.latent_shape = (latent_shape[0] + n_choices * n_categories,)
        self.chart = standardised_classes(n_categories, first=latent_shape[0])
        self.space = f"joint of {n_choices} x {n_categories}"

    def forward(self, h: Tensor) -> ContinuousOneHot:
        return ContinuousOneHot(self.continuous(h), self.discrete(h))

    def classes(self, q: Distribution) -> Tensor:
        return self.discrete.classes(cast(ContinuousOneHot, q).discrete)
