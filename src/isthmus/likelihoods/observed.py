"""The likelihood of what was observed of a datum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions import EventDistribution
from isthmus.distributions.observed import Observed
from isthmus.errors import OptionError
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.gaussian_optimal import OptimalGaussianLikelihood
from isthmus.registry import Registry

LIKELIHOOD_WRAPPERS = Registry("likelihood wrapper")


@final
@LIKELIHOOD_WRAPPERS.register("observed")
class ObservedLikelihood(Likelihood):
    """Another likelihood, of which only the observed elements count: NaN in x marks the others.

    Right where what is missing is missing at random: then p(x_observed) says all that can be
    learned without a model of why it is missing.

    Args:
        likelihood: Of complete data, its elements independent given z.

    Raises:
        OptionError: Its elements are not independent given z.

    Reference:
        Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data
        Sets, arXiv 1812.02633.
    """

    affine: ClassVar[bool] = False
    supports: ClassVar[tuple[str, ...]] = ()

    def __init__(self, likelihood: Likelihood) -> None:
        super().__init__(likelihood.shape)
        self.likelihood = likelihood
        # What each object says stands above what the class says: it is the inner likelihood's.
        self.affine = likelihood.affine  # type: ignore[misc]
        self.supports = likelihood.supports  # type: ignore[misc]
        self.is_mass = likelihood.is_mass
        trial = likelihood(torch.zeros(1, 1, *likelihood.parameter_shape()))
        # A scale that is the optimum of the batch would count the gaps' zeros.
        by_batch = isinstance(likelihood, OptimalGaussianLikelihood)
        if by_batch or not isinstance(trial, EventDistribution):
            raise OptionError(
                f"The likelihood {type(likelihood).__name__} cannot leave elements out: use "
                "'gaussian-shared', or 'bernoulli' for values of 0 and 1."
            )

    def parameter_shape(self) -> torch.Size:
        """As the inner likelihood's."""
        return self.likelihood.parameter_shape()

    def forward(self, parameters: Tensor) -> Observed:
        """Batch (S, B), event D."""
        return Observed(self.likelihood(parameters))

    def start(self, data: Iterable[Tensor]) -> Tensor:
        """As the inner likelihood's, of what was observed."""
        return self.likelihood.start(data)
