"""The squared slope of a map of each datum, exactly or from random directions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.errors import OptionError


def squared_slope(
    function: Callable[[Tensor], Tensor], at: Tensor, probes: int | None, keep: bool
) -> Tensor:
    r""":math:`\|\partial f / \partial v\|_F^2` of each datum.

    With probes it is the mean of :math:`\|u^\top J\|^2` over random signs u, whose expectation it
    is.

    Args:
        function: (B, *D) -> (B, O), datum by datum.
        at: (B, *D) where.
        probes: How many u; None takes each of the O outputs in turn, which is exact.
        keep: Whether the result is to be differentiated in its turn.

    Returns:
        (B,).

    Reference:
        Hutchinson, A Stochastic Estimator of the Trace of the Influence Matrix, 1989.
    """
    with torch.enable_grad():
        at = at if keep and at.requires_grad else at.detach().requires_grad_()
        out = function(at)
        if not out.requires_grad:
            return out.new_zeros(len(out))
        total = out.new_zeros(len(out))
        for u in _directions(out, probes):
            (row,) = torch.autograd.grad(
                out, at, u, retain_graph=True, create_graph=keep, materialize_grads=True
            )
            total = total + row.flatten(1).square().sum(1)
    slope = total / (probes or 1)
    return slope if keep else slope.detach()


def check_probes(probes: int | None) -> int | None:
    """`probes` as it is.

    Raises:
        OptionError: There is not even one.
    """
    if probes is not None and probes < 1:
        raise OptionError(f"probes={probes}: use at least 1, or leave it out for the exact slope.")
    return probes


def _directions(out: Tensor, probes: int | None) -> list[Tensor]:
    """What the rows of the Jacobian are multiplied with, each (B, O)."""
    if probes is None:
        every = torch.eye(out.shape[1], dtype=out.dtype, device=out.device)
        return list(every.unsqueeze(1).expand(-1, len(out), -1))
    signs = torch.randint(2, (probes, *out.shape), device=out.device).to(out)
    return list(2.0 * signs - 1.0)
