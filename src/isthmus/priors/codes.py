"""Priors over integer codes: uniform, and a transformer's, fitted after training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from isthmus.errors import OptionError
from isthmus.networks import CausalTransformer
from isthmus.priors.base import PRIORS, FittedPrior, Infer, Prior
from isthmus.priors.descent import Descent

# Codes in one pass of drawing or scoring.
PASS = 1024


@final
class Sequences(Distribution):
    """Integers of a fixed shape, each drawn given those before it in reading order.

    Args:
        next_logits: Sequences' first t integers (N, t) -> logits (N, t + 1, K) of those up to the
            next.
        code_shape: Of the integers of one datum.
        device: Where draws live.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch declares it so

    def __init__(
        self,
        next_logits: Callable[[Tensor], Tensor],
        code_shape: Sequence[int],
        device: torch.device,
    ) -> None:
        super().__init__(torch.Size(), torch.Size(code_shape), validate_args=False)
        self._next_logits = next_logits
        self._device = device

    def log_prob(self, value: Tensor) -> Tensor:
        """Log p of integers (*batch, *code_shape) in nats, (*batch,)."""
        batch = value.shape[: value.ndim - len(self.event_shape)]
        rows = value.reshape(-1, self.event_shape.numel()).long()
        return torch.cat([self._score(part) for part in rows.split(PASS)]).view(batch)

    def _score(self, rows: Tensor) -> Tensor:
        logits = self._next_logits(rows[:, :-1]).flatten(0, 1)
        return -F.cross_entropy(logits, rows.flatten(), reduction="none").view_as(rows).sum(1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Integers (*sample_shape, *code_shape), drawn one after the other."""
        shape = torch.Size(sample_shape)
        empty = torch.empty(shape.numel(), 0, dtype=torch.long, device=self._device)
        drawn = torch.cat([self._continue(part) for part in empty.split(PASS)])
        return drawn.view(shape + self.event_shape)

    def _continue(self, past: Tensor) -> Tensor:
        for _ in range(self.event_shape.numel()):
            chances = self._next_logits(past)[:, -1].softmax(-1)
            past = torch.cat([past, torch.multinomial(chances, 1)], 1)
        return past


@final
@PRIORS.register("uniform-codes")
class UniformCodes(Prior):
    """Every integer code is equally likely: the prior under which a code costs exactly
    positions · log2 K bits.

    Args:
        code_shape: Of the integers of one datum.
        n_codes: K.
    """

    space = "codes"

    def __init__(self, code_shape: Sequence[int] = (), n_codes: int = 0) -> None:
        super().__init__()
        need_codes("uniform-codes", code_shape, n_codes)
        self.code_shape = tuple(code_shape)
        self.register_buffer("logits", torch.zeros(n_codes), persistent=False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Sequences:
        logits = self.get_buffer("logits")

        def same(past: Tensor) -> Tensor:
            return logits.expand(len(past), past.shape[1] + 1, -1)

        return Sequences(same, self.code_shape, logits.device)


@final
@PRIORS.register("autoregressive-codes")
class AutoregressiveCodes(FittedPrior):
    """p(k) = Π_t p(k_t | k_1 .. k_{t−1}) by a small transformer, fitted after training to the codes
    of the training data.

    It is uniform until it is fitted. A tenth of the codes is held out to see when fitting has gone
    far enough. The integers are read in the order of their shape: a grid row by row, the stages of
    a residual code position by position.

    Args:
        code_shape: Of the integers of one datum.
        n_codes: K.
        width: Of the transformer.
        layers: Of the transformer.
        steps: Of Adam, at most.
        batch_size: Codes in a step.
        lr: Adam's learning rate at the start; it falls to zero along a cosine.
        seed: Of the order of the codes.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, arXiv 1711.00937, section 3.3;
        Esser et al., Taming Transformers, arXiv 2012.09841.
    """

    space = "codes"
    fitted_to = "argmax"
    by_steps = True

    def __init__(
        self,
        code_shape: Sequence[int] = (),
        n_codes: int = 0,
        width: int = 64,
        layers: int = 2,
        steps: int = 500,
        batch_size: int = 64,
        lr: float = 3e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        need_codes("autoregressive-codes", code_shape, n_codes)
        self.code_shape = tuple(code_shape)
        self.descent = Descent(steps, batch_size, lr, seed)
        self.network = CausalTransformer(n_codes, math.prod(self.code_shape), width, layers)
        # The model's training passes it by.
        self.network.requires_grad_(False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Sequences:
        return Sequences(self.network, self.code_shape, self.network.start.device)

    def fit(self, codes: Tensor) -> None:
        """Fit to integer codes (N, *code_shape) by a few hundred steps of Adam."""
        self.descent.minimise(self.network, lambda rows: self().log_prob(rows), codes)


def need_codes(name: str, code_shape: Sequence[int], n_codes: int) -> None:
    """Refuse a posterior without integer codes.

    Raises:
        OptionError: With the posteriors that have them.
    """
    if not code_shape or n_codes < 2:
        raise OptionError(
            f"The prior {name!r} is over integer codes, and this posterior has none: use the "
            "posterior 'vq', 'rvq', 'fsq' or 'lfq', or the prior 'standard-normal'."
        )
