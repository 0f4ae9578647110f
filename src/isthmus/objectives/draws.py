"""Draws of the prior to lay beside the codes of a batch."""

from __future__ import annotations

from torch import Tensor

from isthmus.evidence import Evidence


def prior_draws(evidence: Evidence) -> Tensor:
    """As many draws from p(z) as there are codes, (S, B, *Z); differentiable where p allows it."""
    p = evidence.p
    shape = evidence.z.shape[:1] if p.batch_shape else evidence.z.shape[:2]
    return p.rsample(shape) if p.has_rsample else p.sample(shape)
