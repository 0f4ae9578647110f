"""A continuous and a discrete code side by side, in one vector."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, kl_divergence
from torch.distributions.kl import register_kl

from isthmus.distributions.normal import DiagonalNormal
from isthmus.distributions.one_hot import OneHotCategorical


@final
class ContinuousOneHot(Distribution):
    """Independent: a normal vector, and one-hot vectors laid flat behind it.

    Args:
        continuous: Event (C,).
        discrete: Event (G, K), the same batch.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(self, continuous: DiagonalNormal, discrete: OneHotCategorical) -> None:
        self.continuous = continuous
        self.discrete = discrete
        self._widths = (continuous.event_shape.numel(), discrete.event_shape.numel())
        shape = torch.Size((sum(self._widths),))
        super().__init__(continuous.batch_shape, shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The normal's mean, and the probabilities."""
        return self._joined(self.continuous.mean, self.discrete.mean)

    @property
    def mode(self) -> Tensor:
        """The normal's mean, and the one-hot vectors of the likeliest classes."""
        classes = F.one_hot(self.discrete.mode, self.discrete.event_shape[-1])
        return self._joined(self.continuous.mean, classes.to(self.continuous.mean.dtype))

    @property
    def variance(self) -> Tensor:
        return self._joined(self.continuous.variance, self.discrete.variance)

    def expand(self, batch_shape: Any, _instance: Any = None) -> ContinuousOneHot:
        """The same with its batch expanded to `batch_shape`; nothing is copied."""
        return ContinuousOneHot(
            self.continuous.expand(batch_shape),  # type: ignore[arg-type]
            self.discrete.expand(batch_shape),  # type: ignore[arg-type]
        )

    def log_prob(self, value: Tensor) -> Tensor:
        continuous, discrete = value.split(self._widths, -1)
        classes = discrete.unflatten(-1, self.discrete.event_shape)
        return self.continuous.log_prob(continuous) + self.discrete.log_prob(classes)

    def entropy(self) -> Tensor:
        return self.continuous.entropy() + self.discrete.entropy()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._joined(
            self.continuous.rsample(sample_shape), self.discrete.rsample(sample_shape)
        )

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws whose discrete part is one-hot."""
        return self._joined(
            self.continuous.sample(sample_shape), self.discrete.sample(sample_shape)
        )

    def _joined(self, continuous: Tensor, discrete: Tensor) -> Tensor:
        return torch.cat([continuous, discrete.flatten(-2)], -1)


@register_kl(ContinuousOneHot, ContinuousOneHot)
def _kl_joint_joint(q: ContinuousOneHot, p: ContinuousOneHot) -> Tensor:
    return kl_divergence(q.continuous, p.continuous) + kl_divergence(q.discrete, p.discrete)
