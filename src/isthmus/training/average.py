"""The running average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn


@final
class Average:
    """mean <- share * mean + (1 - share) * weights, after every step.

    The first step's weights start the average; after t further steps its share is
    min(decay, (1 + t) / (10 + t)), so that it forgets the start of a run within a few steps and not
    within 1 / (1 - decay). Buffers (codebooks, running moments) are no weights: where the average
    is shown they are what they are in training, integers too. A step costs one fused operation on
    all weights, and nothing waits for the device.

    Args:
        model: The weights that ask for gradients are averaged; all others stay as they are.
        decay: The share of the past, in [0, 1); 0 averages nothing and costs nothing.

    Reference:
        Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging (1992),
        https://doi.org/10.1137/0330046.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        found = model.named_parameters() if decay else ()
        weights = {name: p for name, p in found if p.requires_grad}
        self._decay = decay
        self._names = list(weights)
        self._weights: list[Tensor] = list(weights.values())
        self._mean = [p.detach().clone() for p in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number `step`, counted from 1."""
        if self._mean:
            t = step - 1
            share = min(self._decay, (1 + t) / (10 + t)) if t else 0.0
            torch._foreach_lerp_(self._mean, self._weights, 1.0 - share)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within the block the model's weights are their average."""
        training = [p.detach().clone() for p in self._weights]
        _copy(self._weights, self._mean)
        try:
            yield
        finally:
            _copy(self._weights, training)

    def state(self) -> dict[str, Tensor]:
        """The average by the names of the weights, for a checkpoint."""
        return {f"average.{name}": t for name, t in zip(self._names, self._mean, strict=True)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint's tensors, which may hold others too."""
        for name, t in self.state().items():
            t.copy_(tensors[name])


@torch.no_grad()
def _copy(to: list[Tensor], values: list[Tensor]) -> None:
    if to:
        torch._foreach_copy_(to, values)
