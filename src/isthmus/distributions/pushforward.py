"""A normal carried through bijections: what a flow makes of its noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.distributions.normal import DiagonalNormal
from isthmus.distributions.traced import TracedDistribution
from isthmus.maths import without_autocast


class Bijection(ABC):
    """A differentiable one-to-one map of vectors, its parameters batched like its values."""

    @abstractmethod
    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """(*batch, Z) -> the image (*batch, Z) and log abs det of the Jacobian (*batch)."""

    @abstractmethod
    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(*batch, Z) -> the pre-image and `forward`'s log abs det there, both differentiable."""


@final
class Pushforward(TracedDistribution):
    r"""The law of :math:`z = f_n \circ \dots \circ f_1(e)` for a normal e.

    .. math:: \log q(z) = \log N(e) - \sum_i \log |\det J_{f_i}|

    It has no mean or mode in closed form: `mean` is the image of the base's mean, which is its
    median too. That is deterministic, and the mean itself where every bijection is affine.

    Args:
        base: N(e), batch (B,), event (D,) with D the number of elements of Z.
        bijections: f_1 first.
        event_shape: Z; None is the base's.
    """

    def __init__(
        self,
        base: DiagonalNormal,
        bijections: Sequence[Bijection],
        event_shape: Sequence[int] | None = None,
    ) -> None:
        self.base = base
        self.bijections = tuple(bijections)
        shape = base.event_shape if event_shape is None else torch.Size(event_shape)
        super().__init__(base.batch_shape, shape)

    @property
    def mean(self) -> Tensor:
        """The image of the base's mean, as the class says."""
        return self._push(self.base.mean)[0].unflatten(-1, self.event_shape)

    def draw(self, shape: torch.Size) -> tuple[Tensor, Tensor]:
        e = self.base.rsample(shape)
        z, log_det = self._push(e)
        return z.unflatten(-1, self.event_shape), self.base.log_prob(e) - log_det

    def density(self, value: Tensor) -> Tensor:
        z = value.flatten(-len(self.event_shape))
        log_det = z.new_zeros(())
        with without_autocast(z):
            for bijection in reversed(self.bijections):
                z, change = bijection.inverse(z)
                log_det = log_det + change
        return self.base.log_prob(z) - log_det

    def _push(self, e: Tensor) -> tuple[Tensor, Tensor]:
        log_det = e.new_zeros(())
        with without_autocast(e):
            for bijection in self.bijections:
                e, change = bijection.forward(e)
                log_det = log_det + change
        return e, log_det
