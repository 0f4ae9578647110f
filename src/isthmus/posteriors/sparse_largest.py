"""Sparse codes that keep the largest latents: of each datum, or of the batch."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.distributions import SparseDelta
from isthmus.errors import OptionError
from isthmus.posteriors.base import POSTERIORS
from isthmus.posteriors.sparse import DEAD_AFTER, SparsePosterior, keep_largest

# Without a k, one latent in so many is on, and never more than this number.
ONE_IN, MOST = 8, 32
# How much of the running threshold a step keeps.
KEPT = 0.99


def number_on(k: int | None, latents: int) -> int:
    """K, or the usual share of so many latents.

    Raises:
        OptionError: There are not so many.
    """
    if k is None:
        return min(MOST, max(1, latents // ONE_IN))
    if not 1 <= k <= latents:
        raise OptionError(
            f"k={k} latents of a datum cannot be on, the code has {latents}: use k between 1 and "
            f"{latents}, or a larger latent_dim."
        )
    return k


class LargestOn(SparsePosterior, ABC):
    """A sparse code, free of charge, k of whose latents are on.

    Args:
        features: H.
        latent_shape: Z, one axis.
        k: Latents that are on; None takes one in 8, at most 32.
        dead_after: Steps of silence after which a latent is dead.

    Raises:
        OptionError: k is larger than Z.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        k: int | None = None,
        dead_after: int = DEAD_AFTER,
    ) -> None:
        super().__init__(features, latent_shape, 0.0, dead_after)
        self.k = number_on(k, self.latent_shape[0])


@final
@POSTERIORS.register("topk")
class TopK(LargestOn):
    """The k largest positive latents of each datum.

    Args:
        features: H.
        latent_shape: Z, one axis.
        k: Latents that are on; None takes one in 8, at most 32.
        dead_after: Steps of silence after which a latent is dead.

    Raises:
        OptionError: k is larger than Z.

    Reference:
        Gao et al., Scaling and Evaluating Sparse Autoencoders, arXiv 2406.04093.
    """

    def activate(self, pre: Tensor) -> SparseDelta:
        return SparseDelta(keep_largest(F.relu(pre), self.k))


@final
@POSTERIORS.register("batch-topk")
class BatchTopK(LargestOn):
    """The k · B largest positive latents of a batch of B: hard data may have more than easy ones.

    A datum's code must not depend on its company, so outside training a latent is on where it
    exceeds a threshold: the running mean of the least value that training kept.

    Args:
        features: H.
        latent_shape: Z, one axis.
        k: Latents that are on, on average; None takes one in 8, at most 32.
        dead_after: Steps of silence after which a latent is dead.

    Raises:
        OptionError: k is larger than Z.

    Reference:
        Bussmann et al., BatchTopK Sparse Autoencoders, arXiv 2412.06410.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        k: int | None = None,
        dead_after: int = DEAD_AFTER,
    ) -> None:
        super().__init__(features, latent_shape, k, dead_after)
        self.register_buffer("threshold", torch.full((), -1.0))

    def activate(self, pre: Tensor) -> SparseDelta:
        values = F.relu(pre)
        if not self.training:
            return SparseDelta(values * (values > self.get_buffer("threshold")))
        kept = keep_largest(values.view(1, -1), self.k * len(values)).view_as(values)
        self._follow(kept)
        return SparseDelta(kept)

    @torch.no_grad()
    def _follow(self, kept: Tensor) -> None:
        """Move the threshold towards the least value that was kept."""
        threshold = self.get_buffer("threshold")
        least = kept.masked_fill(kept <= 0, torch.inf).min()
        moved = torch.where(threshold < 0, least, threshold.lerp(least.to(threshold), 1 - KEPT))
        threshold.copy_(torch.where(least.isfinite(), moved, threshold))
