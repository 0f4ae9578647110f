"""Distances between two sets of points: maximum mean discrepancy and sliced Wasserstein."""

from __future__ import annotations

import torch
from torch import Tensor

# Of the inverse multiquadratic kernel, as multiples of its width.
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def inverse_multiquadratic(a: Tensor, b: Tensor, scales: tuple[float, ...] = SCALES) -> Tensor:
    r"""The kernel :math:`k(a, b) = \sum_s \frac{C_s}{C_s + |a - b|^2}`, :math:`C_s = 2 d s`.

    2 d is the mean squared distance between two draws of a standard normal in d dimensions, so
    that the scales are about 1 where codes fit such a prior.

    Args:
        a: (..., N, d).
        b: (..., M, d).
        scales: s.

    Returns:
        (..., N, M), at most the number of scales.

    Reference:
        Tolstikhin et al., Wasserstein Auto-Encoders, arXiv 1711.01558.
    """
    squared = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
    widths = [2.0 * a.shape[-1] * s for s in scales]
    return torch.stack([width / (width + squared) for width in widths]).sum(0)


def squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    """The squared maximum mean discrepancy of two samples, estimated without bias.

    It may fall below zero where the samples are alike, for it scatters about the true value.

    Args:
        a: (..., N, d), N > 1.
        b: (..., M, d), M > 1.

    Returns:
        (...).
    """
    return (
        _mean_between_distinct(inverse_multiquadratic(a, a))
        + _mean_between_distinct(inverse_multiquadratic(b, b))
        - 2.0 * inverse_multiquadratic(a, b).mean((-2, -1))
    )


def _mean_between_distinct(kernel: Tensor) -> Tensor:
    n = kernel.shape[-1]
    diagonal = kernel.diagonal(dim1=-2, dim2=-1).sum(-1)
    return (kernel.sum((-2, -1)) - diagonal) / max(n * (n - 1), 1)


def random_directions(count: int, like: Tensor) -> Tensor:
    """`count` directions (count, d), uniform on the sphere of the space of `like` (..., d)."""
    drawn = torch.randn(count, like.shape[-1], dtype=like.dtype, device=like.device)
    return drawn / drawn.norm(dim=-1, keepdim=True)


def squared_sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """The squared 2-Wasserstein distance of two samples along each direction, averaged.

    Along a line the optimal transport pairs points by their order.

    Args:
        a: (..., N, d).
        b: (..., N, d), as many.
        directions: (L, d), of length one.

    Returns:
        (...).

    Reference:
        Kolouri et al., Sliced Wasserstein Auto-Encoders, arXiv 1804.01947.
    """
    ordered = [(points @ directions.T).sort(-2).values for points in (a, b)]
    return (ordered[0] - ordered[1]).square().mean((-2, -1))
