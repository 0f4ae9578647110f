"""The Gaussian likelihood of sigma-VAE: the scale that fits the batch best, then a fixed one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions.location_scale import LocationScale
from isthmus.distributions.normal import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.likelihoods.base import LIKELIHOODS, OneParameter
from isthmus.likelihoods.scale import check_positive

_LOG_TAU = math.log(2.0 * math.pi)


@final
class BatchScaleNormal(LocationScale):
    r"""A diagonal normal whose `log_prob` uses the variance that maximises it over its batch.

    The variance is :math:`\sigma^2 = \operatorname{mean}(x - \mu)^2`, taken as a constant: the
    derivative of the summed log density by it is zero there, so the gradient is that of the full
    expression.

    Args:
        loc: Means, batch and event shape.
        scale: Standard deviation that `stddev` and samples have.
        observe: Is handed the batch's mean squared residual; returns the variance to use.
        event_dims: How many of the last axes are the event.
    """

    def __init__(
        self, loc: Tensor, scale: Tensor, observe: Callable[[Tensor], Tensor], event_dims: int = 1
    ) -> None:
        self.observe = observe
        super().__init__(loc, scale, event_dims)

    @property
    def variance(self) -> Tensor:
        return self.scale.square().expand_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        size = self._event_shape.numel()
        squares = self._sum((value - self.loc).square())
        variance = self.observe(squares.detach().mean() / size)
        return -0.5 * (squares / variance + size * (variance.log() + _LOG_TAU))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return DiagonalNormal(self.loc, self.scale, self.event_dims).rsample(sample_shape)


@final
@LIKELIHOODS.register("gaussian-optimal")
class OptimalGaussianLikelihood(OneParameter):
    """A Gaussian whose shared variance is the mean squared residual, in closed form.

    In training mode each call of `log_prob` uses its batch's own variance and moves a running mean
    of it; in evaluation mode the running mean is the variance: held-out data are read by one fixed
    density.

    Args:
        shape: The event shape D.
        rate: Weight of a new batch in the running mean, once the plain mean over all batches would
            weigh it less.
        min_scale: What the standard deviation never falls below, in the data's unit.

    Reference:
        Rybkin, Daniilidis, Levine. Simple and Effective VAE Training with Calibrated Decoders.
        2006.13202.
    """

    affine: ClassVar[bool] = True
    supports: ClassVar[tuple[str, ...]] = ("real", "unit")
    variance: Tensor
    n_observed: Tensor

    def __init__(self, shape: Sequence[int], rate: float = 0.01, min_scale: float = 1e-3) -> None:
        super().__init__(shape)
        if not 0.0 < rate <= 1.0:
            raise OptionError(f"rate must lie above 0 and at most at 1; got {rate!r}.")
        self.rate = rate
        self.min_variance = check_positive("min_scale", min_scale) ** 2
        self.register_buffer("variance", torch.tensor(1.0))
        self.register_buffer("n_observed", torch.tensor(0.0))

    def forward(self, parameters: Tensor) -> LocationScale:
        """Means (S, B, 1, *D) -> batch (S, B), event D."""
        loc = self._only(parameters)
        scale = self.variance.sqrt()
        if self.training:
            return BatchScaleNormal(loc, scale, self._observe, len(self.shape))
        return DiagonalNormal(loc, scale, len(self.shape))

    def of_mean(self, mean: Tensor) -> Tensor:
        """Itself."""
        return mean

    def _observe(self, variance: Tensor) -> Tensor:
        """Move the running mean, in place and on the device; the bounded variance of this batch."""
        bounded = variance.clamp_min(self.min_variance)
        self.n_observed += 1.0
        weight = self.n_observed.reciprocal().clamp_min(self.rate)
        self.variance.lerp_(bounded.to(self.variance.dtype), weight)
        return bounded
