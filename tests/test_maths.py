"""The pure functions, against scipy, quadrature and autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch.distributions import Normal, kl_divergence

from isthmus import maths


def test_log_mean_exp_is_the_log_of_the_mean() -> None:
    values = torch.randn(5, 3, dtype=torch.float64)
    expected = values.exp().mean(0).log()
    torch.testing.assert_close(maths.log_mean_exp(values, 0), expected)
    huge = values + 2000.0
    torch.testing.assert_close(maths.log_mean_exp(huge, 0), expected + 2000.0)


def test_effective_sample_size() -> None:
    weights = torch.rand(6, 4, dtype=torch.float64)
    expected = weights.sum(0) ** 2 / (weights**2).sum(0)
    torch.testing.assert_close(maths.effective_sample_size(weights.log() - 900.0, 0), expected)
    equal = maths.effective_sample_size(torch.zeros(7), 0)
    assert equal.item() == pytest.approx(7.0)


@pytest.mark.parametrize("other", [(0.0, 1.0), (-0.4, 0.3)])
@pytest.mark.parametrize("one", [(0.0, 1.0), (1.5, 0.2), (-2.0, 3.0)])
def test_gaussian_kl_is_the_integral(one: tuple[float, float], other: tuple[float, float]) -> None:
    q, p = stats.norm(*one), stats.norm(*other)
    low, high = one[0] - 12 * one[1], one[0] + 12 * one[1]
    expected = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high)[0]
    arguments = [torch.tensor(v, dtype=torch.float64) for v in (*one, *other)]
    assert maths.gaussian_kl(*arguments).item() == pytest.approx(expected, abs=1e-8)
    torch_kl = kl_divergence(Normal(*arguments[:2]), Normal(*arguments[2:]))
    torch.testing.assert_close(maths.gaussian_kl(*arguments), torch_kl)
    if other == (0.0, 1.0):
        standard = maths.gaussian_kl_standard(*arguments[:2])
        assert standard.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("value", [1e-6, 0.1, 1.0, 50.0])
def test_softplus_inverse(value: float) -> None:
    assert math.log1p(math.exp(maths.softplus_inverse(value))) == pytest.approx(value, rel=1e-9)


def test_soft_lower_bound() -> None:
    values = torch.tensor([-50.0, -3.0, 40.0], dtype=torch.float64)
    bounded = maths.soft_lower_bound(values, -3.0)
    assert bounded.tolist() == pytest.approx([-3.0, -3.0 + math.log(2.0), 40.0])


def test_stirling_remainder_and_its_gradient() -> None:
    v = np.logspace(-8, 4, 200)
    t = torch.tensor(v, requires_grad=True)
    remainder = maths.stirling_remainder(t)
    rest = (v - 0.5) * np.log(v) - v + 0.5 * math.log(2 * math.pi)
    # The oracle itself cancels: it is good to the last digits of log-gamma.
    np.testing.assert_allclose(remainder.detach(), special.gammaln(v) - rest, atol=1e-10)
    (gradient,) = torch.autograd.grad(remainder.sum(), t)
    expected = special.digamma(v) - np.log(v) + 0.5 / v
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-10)


def test_stirling_remainder_does_not_cancel_in_single_precision() -> None:
    v = torch.tensor([0.01, 3.0, 1e3, 1e6, 1e9])
    exact = maths.stirling_remainder(v.double())
    torch.testing.assert_close(maths.stirling_remainder(v).double(), exact, atol=2e-6, rtol=0)


def test_nats_to_bits() -> None:
    assert maths.nats_to_bits(torch.tensor(3 * math.log(2.0))).item() == pytest.approx(3.0)


def test_linear_above_is_exp_and_then_its_tangent() -> None:
    values = torch.tensor(
        [-3.0, 0.0, 2.0, 2.5, 10.0, 1000.0], dtype=torch.float64, requires_grad=True
    )
    mean = maths.linear_above(values, 2.0).exp()
    tangent = math.exp(2.0) * (1.0 + values.detach() - 2.0)
    expected = torch.where(values.detach() > 2.0, tangent, values.detach().exp())
    torch.testing.assert_close(mean.detach(), expected)
    mean.sum().backward()
    torch.testing.assert_close(values.grad, values.detach().clamp(max=2.0).exp())


def test_straight_through_has_the_hard_value_and_the_soft_gradient():
    soft = torch.tensor([0.2, -1.3], requires_grad=True)
    hard = soft.round()
    through = maths.straight_through(soft, hard)
    torch.testing.assert_close(through, hard)
    (through * torch.tensor([3.0, 5.0])).sum().backward()
    torch.testing.assert_close(soft.grad, torch.tensor([3.0, 5.0]))
