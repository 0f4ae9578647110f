"""The exemplar prior: a mixture around the codes of training data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.data import DataDriven, Source
from isthmus.distributions import NormalMixture
from isthmus.errors import OptionError
from isthmus.priors.base import PRIORS, Infer, LeaveOneOutPrior, room_for_conditions

# Data are told apart by this many random projections, to this relative accuracy.
PROJECTIONS, SAME = 4, 1e-5
REDRAWN = (
    "the exemplar prior tells a datum by its values, and these are drawn anew in every epoch "
    "(crops, flips or binarisation): a datum's own exemplar is mostly not left out, and the prior "
    "may store the codes; take the data as they are, or use vamp-vae"
)


@final
@PRIORS.register("exemplar")
class ExemplarPrior(LeaveOneOutPrior, DataDriven):
    """p(z) = 1/N Σ_n Normal(z; mean of q(z|x_n), σ² I), around N training data, with σ learned.

    Each training step takes a random subset of the exemplars, and a datum's own exemplar (and
    every one equal to it) is left out for it: else the prior could just store the codes. Answers
    read all exemplars, which are stored with the model. Where data have a condition, each exemplar
    is encoded with its own, and p(z) does not depend on any.

    Args:
        shape: D, of the data.
        length: The number of data, at most which there are exemplars.
        exemplars: N, drawn once from the training data.
        subset: How many of them one training step takes.
        scale: σ at the start.
        condition_dim: C; 0 where data have no condition.

    Raises:
        OptionError: Fewer than two exemplars or a subset of fewer than two.

    Reference:
        Norouzi et al., Exemplar VAE, arXiv 2004.04795.
    """

    conditions: Tensor | None

    def __init__(
        self,
        shape: Sequence[int],
        length: int = 1000,
        exemplars: int = 1000,
        subset: int = 200,
        scale: float = 0.5,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        count = min(exemplars, length)
        if count < 2 or subset < 2:
            raise OptionError(
                "The prior 'exemplar' needs two exemplars or more, as each is left out for itself; "
                f"got {count} of them and subset={subset}: use the prior 'vamp'."
            )
        self.subset = min(subset, count)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.register_buffer("exemplars", 0.01 * torch.randn(count, *shape))
        self.register_buffer("conditions", room_for_conditions(count, condition_dim))
        # log weights: −inf where the training data are fewer than there is room for.
        self.register_buffer("logits", torch.zeros(count))
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(math.prod(shape), PROJECTIONS, generator=generator)
        self.register_buffer("directions", directions.to(self.log_scale), persistent=False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> NormalMixture:
        """The mixture over all exemplars."""
        everything = slice(None)
        return self._around(everything, self.get_buffer("logits"), infer)

    def beside(
        self, x: Tensor, condition: Tensor | None = None, infer: Infer | None = None
    ) -> NormalMixture:
        exemplars, logits = self.get_buffer("exemplars"), self.get_buffer("logits")
        order: slice | Tensor = slice(None)
        if self.subset < len(exemplars):
            order = torch.randperm(len(exemplars), device=exemplars.device)[: self.subset]
            exemplars, logits = exemplars[order], logits[order]
        # Projections are compared, not data: elementwise, as a product's rounding may vary.
        theirs, ours = self._project(exemplars), self._project(x)
        near = SAME * (1.0 + ours.abs().amax(-1))[:, None]
        same = (ours[:, None] - theirs).abs().amax(-1) <= near
        left = torch.where(same, -math.inf, logits)
        alone = left.isneginf().all(-1, keepdim=True)
        return self._around(order, torch.where(alone, logits, left), infer)

    def _around(self, order: slice | Tensor, logits: Tensor, infer: Infer | None) -> NormalMixture:
        if infer is None:
            raise OptionError("The prior 'exemplar' is made of a model's codes: pass `infer`.")
        given = None if self.conditions is None else self.conditions[order]
        loc = infer(self.get_buffer("exemplars")[order], given).mean
        return NormalMixture(logits, loc, self.log_scale.exp().expand_as(loc))

    def _project(self, x: Tensor) -> Tensor:
        return (x.flatten(1)[..., None] * self.get_buffer("directions")).sum(1)

    @torch.no_grad()
    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Draw the exemplars from the training data."""
        exemplars, logits = self.get_buffer("exemplars"), self.get_buffer("logits")
        # The prior of an inner model lives among codes, not data.
        if tuple(source.spec.shape) != tuple(exemplars.shape[1:]):
            return []
        count = len(exemplars)
        batch = next(source.epoch(count, seed=0, epoch=0))
        some = scale(batch.x[:count])
        exemplars[: len(some)] = some.to(exemplars)
        if self.conditions is not None and batch.condition is not None:
            self.conditions[: len(some)] = batch.condition[:count].to(exemplars)
        logits[len(some) :] = -math.inf
        return [REDRAWN] if source.redrawn else []
