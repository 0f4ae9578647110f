"""One-hot vectors drawn from categories, relaxed into the simplex while gradients are needed."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.kl import register_kl

from isthmus.distributions.event import EventDistribution


@final
class OneHotCategorical(EventDistribution):
    r"""Independent one-hot vectors along the last axis, class k with probability softmax(logits)_k.

    Where a temperature is given, `rsample` draws from the Concrete distribution, softmax((logits +
    Gumbel noise) / temperature), so that gradients pass; else it draws the vectors themselves, as
    `sample` always does. `log_prob` is :math:`\sum_k z_k \log \pi_k`, which is exact for one-hot z
    and linear between. `mean` are the probabilities, `mode` the integers of the likeliest classes.

    An element is a whole vector: `elementwise` makes each a batch entry of its own.

    Args:
        logits: (*batch, *groups, K).
        event_dims: How many of the last axes are the event, the classes' among them.
        temperature: Of the relaxation, positive; None draws one-hot vectors.
        straight_through: Relaxed draws take one-hot values and keep the relaxation's gradient.

    Reference:
        Jang et al., arXiv 1611.01144; Maddison et al., arXiv 1611.00712.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}
    has_rsample = True

    def __init__(
        self,
        logits: Tensor,
        event_dims: int = 2,
        temperature: Tensor | float | None = None,
        straight_through: bool = False,
    ) -> None:
        self.logits = logits
        self.temperature = temperature
        self.straight_through = straight_through
        super().__init__(logits.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        """The probabilities (*batch, *groups, K)."""
        return self.logits.softmax(-1)

    @property
    def mode(self) -> Tensor:
        """The integers of the likeliest classes (*batch, *groups)."""
        return self.logits.argmax(-1)

    @property
    def variance(self) -> Tensor:
        probabilities = self.mean
        return probabilities * (1.0 - probabilities)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._sum_groups((value * self.logits.log_softmax(-1)).sum(-1))

    def entropy(self) -> Tensor:
        log_probabilities = self.logits.log_softmax(-1)
        return -self._sum_groups((log_probabilities.exp() * log_probabilities).sum(-1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        noisy = self._noisy(sample_shape)
        if self.temperature is None:
            return self._hard(noisy)
        relaxed = (noisy / self.temperature).softmax(-1)
        if self.straight_through:
            return self._hard(noisy) + relaxed - relaxed.detach()
        return relaxed

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """One-hot vectors."""
        with torch.no_grad():
            return self._hard(self._noisy(sample_shape))

    def _noisy(self, sample_shape: Any) -> Tensor:
        """Logits + Gumbel noise: its largest entry is class k with probability softmax_k."""
        logits = self.logits.expand(torch.Size(sample_shape) + self.logits.shape)
        arrival = torch.empty_like(logits, memory_format=torch.contiguous_format).exponential_()
        return logits - arrival.clamp_(min=torch.finfo(logits.dtype).tiny).log()

    def _hard(self, scores: Tensor) -> Tensor:
        return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)

    def _sum_groups(self, values: Tensor) -> Tensor:
        axes = self._event_axes[1:]
        return values.sum(axes) if axes else values


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot_one_hot(q: OneHotCategorical, p: OneHotCategorical) -> Tensor:
    log_q = q.logits.log_softmax(-1)
    return q._sum_groups((log_q.exp() * (log_q - p.logits.log_softmax(-1))).sum(-1))
