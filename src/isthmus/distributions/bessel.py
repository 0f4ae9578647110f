r"""Ratios and logarithms of modified Bessel functions, by which the sphere's densities are scaled.

The order is climbed until Debye's expansion, uniform in the argument, is exact to the last digits;
from there the recurrence of the ratios, which is stable downwards, leads back. Everything is
computed in double precision, and gradients are ratios themselves, so that nothing overflows,
underflows or loses its gradient in any dimension.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from isthmus.maths import double_precision

# From this order on, nine terms of Debye's expansion are exact to 1e-14.
_HIGH_ORDER = 30
_DEBYE_TERMS = 9


def _next_debye(u: list[float]) -> list[float]:
    """The coefficients of u_{k+1}(t) from those of u_k(t), lowest power first."""
    found = [0.0] * (len(u) + 3)
    for n, a in enumerate(u):
        # u_{k+1} = t^2 (1 - t^2) u_k' / 2 + 1/8 * the integral of (1 - 5 s^2) u_k from 0 to t.
        found[n + 1] += 0.5 * n * a + a / (8 * (n + 1))
        found[n + 3] -= 0.5 * n * a + 5 * a / (8 * (n + 3))
    return found


def _debye_polynomials() -> list[list[float]]:
    polynomials = [[1.0]]
    while len(polynomials) < _DEBYE_TERMS:
        polynomials.append(_next_debye(polynomials[-1]))
    return polynomials


_DEBYE = _debye_polynomials()


def _log_scaled_high(order: float, x: Tensor) -> Tensor:
    """log(I_order(x) exp(-x)) for an order of at least `_HIGH_ORDER`.

    Reference:
        NIST Digital Library of Mathematical Functions, 10.41.3.
    """
    root = torch.hypot(x, x.new_full((), order))
    t = order / root
    total = torch.zeros_like(x)
    for k, polynomial in reversed(list(enumerate(_DEBYE))):
        value = torch.zeros_like(x)
        for coefficient in reversed(polynomial):
            value = value * t + coefficient
        total = total + value / order**k
    # root - x, without the cancellation.
    exponent = order * order / (root + x) + order * torch.log(x / (order + root))
    return exponent - 0.5 * torch.log(2.0 * math.pi * root) + total.log()


def _ratios(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """I_{order+1}(x) / I_order(x), and log(I_order(x) exp(-x)), x in double precision."""
    steps = max(0, math.ceil(_HIGH_ORDER - order))
    high = order + steps
    log_value = _log_scaled_high(high, x)
    ratio = (_log_scaled_high(high + 1, x) - log_value).exp()
    for n in range(steps):
        ratio = 1.0 / (2.0 * (high - n) / x + ratio)
        log_value = log_value - ratio.log()
    return ratio, log_value


class _Ratio(torch.autograd.Function):
    """A(x) = I_{v+1}(x) / I_v(x), with A' = 1 - A^2 - (2v + 1) A / x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: float) -> Tensor:
        ctx.order = order
        ctx.save_for_backward(x)
        return _ratios(order, double_precision(x))[0].to(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        wide = double_precision(x)
        ratio = _Ratio.apply(wide, ctx.order)
        slope = 1.0 - ratio.square() - (2.0 * ctx.order + 1.0) * ratio / wide
        return grads[0] * slope.to(grads[0]), None


class _LogScaled(torch.autograd.Function):
    """log(x^-v I_v(x) exp(-x)), with the derivative A(x) - 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: float) -> Tensor:
        ctx.order = order
        ctx.save_for_backward(x)
        wide = double_precision(x)
        return (_ratios(order, wide)[1] - order * wide.log()).to(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope = _Ratio.apply(double_precision(x), ctx.order) - 1.0
        return grads[0] * slope.to(grads[0]), None


def bessel_ratio(order: float, x: Tensor) -> Tensor:
    r"""The ratio :math:`I_{v+1}(x) / I_v(x)` of modified Bessel functions, differentiable in x.

    Args:
        order: v, at least 0.
        x: Positive, any shape.

    Returns:
        The same shape, within (0, 1).
    """
    result: Tensor = _Ratio.apply(x, order)
    return result


def log_scaled_bessel(order: float, x: Tensor) -> Tensor:
    r""":math:`\log(x^{-v} I_v(x) e^{-x})`, differentiable in x; bounded as x falls to 0.

    Args:
        order: v, at least 0.
        x: Positive, any shape.

    Returns:
        The same shape.
    """
    result: Tensor = _LogScaled.apply(x, order)
    return result
