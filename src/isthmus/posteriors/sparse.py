"""What all sparse codes share: the linear encoder, the price of a code, and dead latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import SparseDelta
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import PenalisedPosterior
from isthmus.schedules import Paced, warm_up

# A latent that has been silent for so many steps is dead.
DEAD_AFTER = 1000
# Nats per unit of what a code is priced by, where nothing else is said.
PRICE = 0.5
# Share of training in which the price of a code climbs: charged at once, it kills latents.
PRICE_CLIMBS = 0.05


class SparsePosterior(PenalisedPosterior, Paced, ABC):
    r"""A point mass on :math:`\sigma(W h + b)`, few of whose latents differ from 0.

    A variant is an activation sigma. While training it counts the steps for which each latent was
    silent, and lets the dead ones say what they would have said: the objective 'sparse' teaches
    them to explain what the living leave over.

    Args:
        features: H; the data's own size, where the dictionary is linear.
        latent_shape: Z, one axis.
        weight: What one unit of the code's price costs, in nats; it climbs early in training.
        dead_after: Steps of silence after which a latent is dead.

    Raises:
        OptionError: The code has more than one axis.

    Reference:
        Gao et al., Scaling and Evaluating Sparse Autoencoders, arXiv 2406.04093 (dead latents).
    """

    has_density = False
    has_mode = False

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        weight: float = PRICE,
        dead_after: int = DEAD_AFTER,
    ) -> None:
        super().__init__()
        if len(latent_shape) != 1:
            raise OptionError(
                f"A sparse code has one axis, not the shape {tuple(latent_shape)}: give latent_dim "
                "as one number."
            )
        self.latent_shape = tuple(latent_shape)
        self.weight = warm_up(weight, PRICE_CLIMBS)
        self.dead_after = dead_after
        self.linear = nn.Linear(features, self.latent_shape[0])
        nn.init.zeros_(self.linear.bias)
        self._revived = min(max(1, features // 2), self.latent_shape[0])
        self.register_buffer("silent", torch.zeros(self.latent_shape[0], dtype=torch.int64))

    @abstractmethod
    def activate(self, pre: Tensor) -> SparseDelta:
        """The code, its price and its gate, from W h + b (B, Z)."""

    def forward(self, h: Tensor) -> SparseDelta:
        pre = full_precision(self.linear(h))
        q = self.activate(pre)
        if self.training:
            self._listen(q.value)
            q.revival = self._revive(pre)
        return q

    def penalties(self, q: Distribution) -> dict[str, Tensor]:
        """The weighed price of the code, where the activation has one."""
        if not isinstance(q, SparseDelta) or q.price is None:
            return {}
        return {"sparsity": self.scheduled(self.weight) * q.price}

    @property
    def dead(self) -> Tensor:
        """(Z,) which latents have been silent for so long that they count as dead."""
        return self.get_buffer("silent") >= self.dead_after

    @torch.no_grad()
    def tie(self, directions: Tensor) -> None:
        """Start the encoder at the transpose of the dictionary (Z, H)."""
        self.linear.weight.copy_(directions)

    @torch.no_grad()
    def _listen(self, code: Tensor) -> None:
        silent = self.get_buffer("silent")
        silent.add_(1).masked_fill_((code != 0).any(0), 0)

    def _revive(self, pre: Tensor) -> Tensor:
        """The largest outputs of dead latents, half as many as the data have elements."""
        candidates = F.relu(pre).masked_fill(~self.dead, 0.0)
        return keep_largest(candidates, self._revived)


def keep_largest(values: Tensor, k: int) -> Tensor:
    """`values` (B, Z) with all but the k largest of each row at 0."""
    if k >= values.shape[-1]:
        return values
    kept, where = values.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(values).scatter(-1, where, kept)
