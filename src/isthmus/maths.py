"""Pure tensor functions that several floors share: log-means, closed-form KLs, bounds, units."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def log_mean_exp(values: Tensor, dim: int) -> Tensor:
    r"""The logarithm of a mean, from logarithms: :math:`\log \frac{1}{S} \sum_s e^{v_s}`.

    Args:
        values: Any shape, nats.
        dim: The axis of the mean.

    Returns:
        `values` without the axis `dim`, nats.
    """
    return torch.logsumexp(values, dim) - math.log(values.shape[dim])


def effective_sample_size(log_weights: Tensor, dim: int) -> Tensor:
    r"""How many equally weighted samples the weights are worth: :math:`(\sum w)^2 / \sum w^2`.

    Args:
        log_weights: Any shape, nats; a constant added to all of them changes nothing.
        dim: The axis of the samples.

    Returns:
        `log_weights` without the axis `dim`, between 1 and its length.
    """
    total = torch.logsumexp(log_weights, dim)
    return (2.0 * total - torch.logsumexp(2.0 * log_weights, dim)).exp()


def gaussian_kl_standard(mean: Tensor, scale: Tensor) -> Tensor:
    r"""Per-dimension :math:`KL(N(m, s^2) \| N(0, 1)) = \frac{1}{2}(m^2 + s^2 - 1) - \log s`.

    Args:
        mean: Any shape.
        scale: Standard deviations, broadcastable with `mean`.

    Returns:
        The broadcast shape, nats.
    """
    return 0.5 * (torch.addcmul(scale.square(), mean, mean) - 1.0) - scale.log()


def gaussian_kl(mean: Tensor, scale: Tensor, other_mean: Tensor, other_scale: Tensor) -> Tensor:
    r"""Per-dimension KL of two Gaussians, :math:`KL(N(m_0, s_0^2) \| N(m_1, s_1^2))`.

    Args:
        mean: m0, any shape.
        scale: s0, broadcastable.
        other_mean: m1, broadcastable.
        other_scale: s1, broadcastable.

    Returns:
        The broadcast shape, nats.
    """
    return gaussian_kl_standard((mean - other_mean) / other_scale, scale / other_scale)


def softplus_inverse(value: float) -> float:
    """The number whose softplus is `value`, for a positive `value`."""
    return value + math.log(-math.expm1(-value))


def soft_lower_bound(values: Tensor, bound: float) -> Tensor:
    """`values` where they lie well above `bound`, smoothly kept above it: b + softplus(v - b).

    Reference:
        Rybkin, Daniilidis, Levine. Simple and Effective VAE Training with Calibrated Decoders.
        2006.13202.
    """
    return bound + F.softplus(values - bound)


def stirling_remainder(values: Tensor) -> Tensor:
    r"""The remainder c of Stirling's formula for the log-gamma function.

    .. math::
        \log\Gamma(v) = (v - \tfrac12)\log v - v + \tfrac12\log 2\pi + c(v)

    Differences of log-gammas written with it do not cancel: for v = 1e6 the log-gamma is 1.3e7,
    whose last digit in single precision is a whole nat, while the remainder is 8e-8. It is the
    asymptotic series at v + 5 and an exact step down from there, which costs two logarithms: its
    gradient is a quarter of the price of a digamma, and the error is below 1e-11 for every v > 0.

    Args:
        values: Positive, any shape.

    Returns:
        The same shape, nats.
    """
    w = (values + 5.0).reciprocal()
    u = w * w
    series = u * (-3617 / 122400) + 1 / 156
    for coefficient in (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * u + coefficient
    steps = (1.0 - w) * (1.0 - 2.0 * w) * (1.0 - 3.0 * w) * (1.0 - 4.0 * w)
    return w * series + (values + 0.5) * torch.log1p(5.0 / values) - 5.0 - steps.log()


def nats_to_bits(nats: Tensor) -> Tensor:
    """Nats as bits: one bit is log 2 nats."""
    return nats / math.log(2.0)


def full_precision(t: Tensor) -> Tensor:
    """bfloat16 and float16 widened to float32: densities are never computed in half precision."""
    return t.float() if t.dtype in (torch.bfloat16, torch.float16) else t


def double_precision(t: Tensor) -> Tensor:
    """Double precision, or the widest that the device has: Apple's GPUs have no doubles."""
    return full_precision(t) if t.device.type == "mps" else t.double()


def without_autocast(t: Tensor) -> torch.autocast:
    """A context in which products of tensors like `t` keep their precision, as a density needs."""
    return torch.autocast(t.device.type, enabled=False)


def linear_above(values: Tensor, knee: float) -> Tensor:
    """The logarithm of exp(v) up to `knee` and of its tangent beyond: exp of it grows in a
    straight line there.

    One continuous derivative; a log-mean far off neither overflows nor loses its gradient.
    """
    return torch.where(values > knee, knee + torch.log1p((values - knee).clamp(min=0.0)), values)


def straight_through(soft: Tensor, hard: Tensor) -> Tensor:
    """The value of `hard` with the gradient of `soft`.

    Args:
        soft: Any shape; the gradient passes to it unchanged.
        hard: The same shape; it gets no gradient.

    Reference:
        Bengio, Léonard & Courville, Estimating or Propagating Gradients Through Stochastic Neurons,
        arXiv 1308.3432.
    """
    return soft + (hard - soft).detach()


def geometric_median(points: Tensor, iterations: int = 100) -> Tensor:
    r"""The point with the least sum of distances, :math:`\arg\min_m \sum_n \|x_n - m\|`.

    Args:
        points: (N, D).
        iterations: Steps of Weiszfeld's algorithm, which end early once they stand still.

    Returns:
        (D,).

    Reference:
        Vardi and Zhang, The multivariate L1-median and associated data depth, PNAS 97 (2000).
    """
    median = points.mean(0)
    # A point on which the median falls must not divide by zero.
    tiny = torch.finfo(points.dtype).eps * (points - median).norm(dim=1).mean()
    for _ in range(iterations):
        weights = 1.0 / (points - median).norm(dim=1).clamp(min=tiny.clamp(min=1e-300))
        moved = (weights @ points) / weights.sum()
        still = torch.allclose(moved, median, rtol=1e-9, atol=float(tiny))
        median = moved
        if still:
            break
    return median
