"""Gradients that go through the samples alone: what path-derivative estimators are made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution


def moves(z: Tensor) -> bool:
    """Whether gradients are wanted of what the samples z come from."""
    return torch.is_grad_enabled() and z.requires_grad


def rise(values: Tensor, z: Tensor) -> Tensor:
    """The gradient of each of `values` (S, B) by its own sample in z (S, B, *Z), as a constant."""
    return torch.autograd.grad(values.sum(), z, retain_graph=True)[0]


def with_gradient_of(surrogate: Tensor, value: Tensor) -> Tensor:
    """What reads as `value` and moves as `surrogate`, both of one shape."""
    return value.detach() + surrogate - surrogate.detach()


def path_log_prob(q: Distribution, z: Tensor, log_prob: Tensor) -> Tensor:
    """Log q(z) whose gradient reaches q's parameters through z alone, not through the density.

    The density's own slope in z is taken and multiplied into z, so any density that can be
    differentiated will do; nothing of it need be rebuilt from detached parameters.

    Args:
        q: The density, batch (B,), event Z.
        z: (S, B, *Z) draws from it.
        log_prob: (S, B) log q(z), as already known.
    """
    if not moves(z):
        return log_prob
    at = z.detach().requires_grad_()
    slope = torch.autograd.grad(q.log_prob(at).sum(), at)[0]
    through = (slope * z).flatten(2).sum(2)
    return with_gradient_of(through, log_prob)
