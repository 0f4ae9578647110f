"""A class, and a normal code that depends on it, in one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, kl_divergence
from torch.distributions.kl import register_kl

from isthmus.distributions.joint import ContinuousOneHot
from isthmus.distributions.normal import DiagonalNormal

# The logarithm of no probability at all: exp of it is 0, and 0 times it is no NaN.
NEVER = -1e4


class Stratified(Distribution, ABC):
    """A distribution whose draws fall into a few classes, each of which can be drawn from alone."""

    @abstractmethod
    def strata(self) -> list[tuple[Distribution, Tensor]]:
        """For each class, the draws within it, and for which data (B,) it is possible at all."""


@final
class LabelledNormal(Stratified):
    r"""y ~ Categorical, z|y ~ Normal(loc_y, diag(scale_y²)); an event is z, then y as one-hot.

    Where the class is known, y is that class. `rsample` draws one class, whose gradient to the
    probabilities is passed straight through; sums over the classes need no draw (`class_kl`).

    Args:
        logits: (B, K) of q(y).
        loc: (B, K, C).
        scale: (B, K, C), standard deviations.
        known: (B, K) one-hot where the class is known, zeros where it is not; None for nowhere.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(
        self, logits: Tensor, loc: Tensor, scale: Tensor, known: Tensor | None = None
    ) -> None:
        self.logits = logits
        self.loc = loc
        self.scale = scale
        self.known = known
        shape = torch.Size((loc.shape[-1] + logits.shape[-1],))
        super().__init__(logits.shape[:-1], shape, validate_args=False)

    def given(self, known: Tensor) -> LabelledNormal:
        """The same where some classes are known, (B, K)."""
        return LabelledNormal(self.logits, self.loc, self.scale, known.to(self.logits.dtype))

    @property
    def normal(self) -> DiagonalNormal:
        """q(z|y) for every y, batch (B, K)."""
        return DiagonalNormal(self.loc, self.scale, 1)

    @property
    def is_known(self) -> Tensor:
        """(B,) whether the class is known."""
        if self.known is None:
            return torch.zeros(self.batch_shape, dtype=torch.bool, device=self.logits.device)
        return self.known.sum(-1) > 0

    @property
    def log_classes(self) -> Tensor:
        """Log q(y) (B, K), that of a known class 0."""
        guessed = self.logits.log_softmax(-1)
        if self.known is None:
            return guessed
        return torch.where(self.is_known.unsqueeze(-1), NEVER * (1.0 - self.known), guessed)

    @property
    def classes(self) -> Tensor:
        """q(y) (B, K)."""
        return self.log_classes.exp()

    @property
    def mean(self) -> Tensor:
        """The mean of z over all classes, and the probabilities."""
        classes = self.classes
        return torch.cat([(classes.unsqueeze(-1) * self.loc).sum(-2), classes], -1)

    @property
    def mode(self) -> Tensor:
        """The likeliest class and code together."""
        densest = (self.log_classes - self.scale.log().sum(-1)).argmax(-1)
        return self._at(F.one_hot(densest, self.logits.shape[-1]).to(self.loc.dtype), self.loc)

    @property
    def variance(self) -> Tensor:
        classes, mean = self.classes, self.mean[..., : self.loc.shape[-1]]
        second = (classes.unsqueeze(-1) * (self.scale.square() + self.loc.square())).sum(-2)
        return torch.cat([second - mean.square(), classes * (1.0 - classes)], -1)

    def class_kl(self, p: ContinuousOneHot) -> Tensor:
        """KL(q(z|y) ‖ p(z)) (B, K) for every y."""
        continuous = p.continuous
        batch = (*continuous.batch_shape, 1) if continuous.batch_shape else ()
        shape = (*batch, *continuous.event_shape)
        spread = continuous.scale.expand_as(continuous.loc).reshape(shape)
        wide = DiagonalNormal(continuous.loc.reshape(shape), spread, 1, continuous.is_standard)
        return kl_divergence(self.normal, wide)

    def log_prob(self, value: Tensor) -> Tensor:
        z, y = value.split([self.loc.shape[-1], self.logits.shape[-1]], -1)
        return (y * (self.log_classes + self.normal.log_prob(z.unsqueeze(-2)))).sum(-1)

    def entropy(self) -> Tensor:
        """H(q(y)) + Σ_y q(y) H(q(z|y))."""
        return (self.classes * (self.normal.entropy() - self.log_classes)).sum(-1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LabelledNormal:
        """The same with its batch expanded to `batch_shape`; nothing is copied."""
        batch = torch.Size(batch_shape)
        logits, loc, scale = (
            t.expand(batch + t.shape[len(self.batch_shape) :])
            for t in (self.logits, self.loc, self.scale)
        )
        known = None if self.known is None else self.known.expand_as(logits)
        return LabelledNormal(logits, loc, scale, known)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        y = self._classes_drawn(sample_shape)
        soft = self.classes
        return self._at(y + soft - soft.detach(), self._normal_draw(sample_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self._at(self._classes_drawn(sample_shape), self._normal_draw(sample_shape))

    def strata(self) -> list[tuple[Distribution, Tensor]]:
        every = torch.eye(self.logits.shape[-1], dtype=self.logits.dtype, device=self.logits.device)
        return [
            (self.given(y.expand_as(self.logits)), possible > 0)
            for y, possible in zip(every, self.classes_possible.unbind(-1), strict=True)
        ]

    @property
    def classes_possible(self) -> Tensor:
        """(B, K) 0 for the classes that a known one rules out, else 1."""
        if self.known is None:
            return torch.ones_like(self.logits)
        return torch.where(self.is_known.unsqueeze(-1), self.known, torch.ones_like(self.known))

    def _classes_drawn(self, sample_shape: Any) -> Tensor:
        log_classes = self.log_classes.expand(torch.Size(sample_shape) + self.logits.shape)
        arrival = torch.empty_like(log_classes, memory_format=torch.contiguous_format)
        scores = log_classes - arrival.exponential_().clamp_(min=1e-30).log()
        return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)

    def _normal_draw(self, sample_shape: Any) -> Tensor:
        """Z for every class (*sample, B, K, C), of which one is taken: they share the noise."""
        shape = torch.Size(sample_shape) + self.loc.shape[:-2] + (1, self.loc.shape[-1])
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return torch.addcmul(self.loc, noise, self.scale)

    def _at(self, y: Tensor, z: Tensor) -> Tensor:
        return torch.cat([(y.unsqueeze(-1) * z).sum(-2), y], -1)


@register_kl(LabelledNormal, ContinuousOneHot)
def _kl_labelled_joint(q: LabelledNormal, p: ContinuousOneHot) -> Tensor:
    log_p = p.discrete.logits.log_softmax(-1).squeeze(-2)
    return (q.classes * (q.log_classes - log_p + q.class_kl(p))).sum(-1)
