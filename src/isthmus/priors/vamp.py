"""The VampPrior: the mean of the posteriors at learned pseudo-inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.data import DataDriven, Source
from isthmus.distributions import DiagonalNormal, EqualMixture, NormalMixture
from isthmus.errors import OptionError
from isthmus.priors.base import POSTERIORS_SPACE, PRIORS, Infer, Prior, room_for_conditions

# The pseudo-inputs' start where they do not come from data, as in the authors' code for MNIST.
NOISE_MEAN, NOISE_STD = 0.05, 0.01


@final
@PRIORS.register("vamp")
class VampPrior(Prior, DataDriven):
    """p(z) = 1/K Σ_k q(z|u_k), with pseudo-inputs u_k that are learned.

    They are kept within the range of the training data, and the encoder is passed through once
    more for every batch. Nothing holds the codes near 0, as a standard normal would: where they
    drift off and saturate the encoder before it has learned to tell data apart, the rate stays 0.
    Where data have a condition each u_k has one too, that of the datum which
    it starts from: the mean of q(z|u_k, c_k) stands for that of q(z|x, c) over all data, and p(z)
    stays independent of the condition.

    Args:
        shape: D, of the data.
        components: K.
        start: "data" takes the u_k from the training data (with some noise, where there are fewer
            than K), "noise" from Normal(.05, .01²) in scaled units, as the paper's code does by
            itself: what is no datum can have a wide posterior from the start.
        condition_dim: C; 0 where data have no condition.

    Raises:
        OptionError: No component, or another word for `start`.

    Reference:
        Tomczak & Welling, VAE with a VampPrior, arXiv 1705.07120.
    """

    space = POSTERIORS_SPACE
    pseudo_conditions: Tensor | None

    def __init__(
        self,
        shape: Sequence[int],
        components: int = 500,
        start: str = "data",
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        if components < 1:
            raise OptionError(f"The prior 'vamp' needs components >= 1, got {components}.")
        if start not in ("data", "noise"):
            raise OptionError(
                f"Pseudo-inputs of the prior 'vamp' start from 'data' or 'noise', not {start!r}."
            )
        self._from_data = start == "data"
        u = NOISE_MEAN + NOISE_STD * torch.randn(components, *shape)
        self.pseudo_inputs = nn.Parameter(u)
        self.register_buffer("pseudo_conditions", room_for_conditions(components, condition_dim))
        self.register_buffer("low", torch.tensor(-math.inf))
        self.register_buffer("high", torch.tensor(math.inf))

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Distribution:
        """The mixture of q(z|u_k).

        Raises:
            OptionError: There is no model to infer with.
        """
        if infer is None:
            raise OptionError("The prior 'vamp' is made of a model's posteriors: pass `infer`.")
        low, high = self.get_buffer("low"), self.get_buffer("high")
        q = infer(_Within.apply(self.pseudo_inputs, low, high), self.pseudo_conditions)
        if isinstance(q, DiagonalNormal):
            logits = torch.zeros(len(q.loc), dtype=q.loc.dtype, device=q.loc.device)
            return NormalMixture(logits, q.loc, q.scale.expand_as(q.loc))
        return EqualMixture(q)

    @torch.no_grad()
    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Take the range of the data, and some of them as pseudo-inputs with their conditions."""
        u = self.pseudo_inputs
        # The prior of an inner model lives among codes, not data.
        if tuple(source.spec.shape) != tuple(u.shape[1:]):
            return []
        low, high = math.inf, -math.inf
        for batch in source.chunks(4096):
            x = scale(batch.x)
            x = x[~x.isnan()]
            low, high = min(low, x.min().item()), max(high, x.max().item())
        self.get_buffer("low").fill_(low)
        self.get_buffer("high").fill_(high)
        count = len(u)
        batch = next(source.epoch(count, seed=0, epoch=0))
        repeated = torch.arange(count) % len(batch)
        if self.pseudo_conditions is not None and batch.condition is not None:
            self.pseudo_conditions.copy_(batch.condition[repeated])
        if not self._from_data:
            return []
        some = scale(batch.x[:count])
        u.copy_(some[repeated])
        if len(some) == count:
            return []
        u.add_(NOISE_STD * torch.randn_like(u))
        return [
            f"The prior has {count:,} pseudo-inputs and there are {len(some):,} training data: "
            "some start from the same datum, with noise."
        ]


class _Within(torch.autograd.Function):
    """A clamp whose gradient is stopped only where a step along it would lead further out.

    `torch.clamp` has none at all out there, so that whatever overshoots a bound stays for good; the
    start at data lies on the bounds.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(u, low, high)
        return u.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        u, low, high = ctx.saved_tensors
        out = ((u < low) & (gradient > 0)) | ((u > high) & (gradient < 0))
        return gradient.masked_fill(out, 0.0), None, None
