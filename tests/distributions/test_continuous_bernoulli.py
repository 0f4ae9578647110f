"""The continuous Bernoulli where it is delicate: near a flat density, and far from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mpmath import mp
from torch import Tensor

from isthmus.distributions import ContinuousBernoulli

LOGITS = [
    s * v for v in (1e-7, 1e-4, 2e-3, 0.1, 0.49, 0.9999, 1.0001, 3.0, 16.0, 50.0) for s in (-1, 1)
]
LOGITS.append(0.0)


def _oracle(logit: float, x: float) -> tuple[float, float, float, float]:
    """log p(x), its derivative by the logit, mean and variance, with fifty digits."""
    with mp.workdps(50):
        a = mp.mpf(logit)
        if a == 0:
            return 0.0, x - 0.5, 0.5, 1 / 12
        log_z = mp.log(mp.expm1(a) / a)
        mean = 1 / (1 - mp.exp(-a)) - 1 / a
        variance = 1 / a**2 - 1 / (4 * mp.sinh(a / 2) ** 2)
        return float(a * x - log_z), float(x - mean), float(mean), float(variance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-11), (torch.float32, 2e-6)],
    ids=["double", "single"],
)
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_values_gradients_and_moments(dtype: torch.dtype, tolerance: float, x: float) -> None:
    logits = torch.tensor(LOGITS, dtype=dtype, requires_grad=True)
    value = torch.tensor(x, dtype=dtype)
    p = ContinuousBernoulli(logits, event_dims=0)
    log_prob = p.log_prob(value)
    (gradient,) = torch.autograd.grad(log_prob.sum(), logits)
    exact = [_oracle(a, value.item()) for a in logits.tolist()]
    computed: list[Tensor] = [log_prob, gradient, p.mean, p.variance]
    for ours, expected in zip(computed, zip(*exact, strict=True), strict=True):
        np.testing.assert_allclose(ours.detach(), expected, rtol=tolerance, atol=tolerance)


def test_mode() -> None:
    p = ContinuousBernoulli(torch.tensor([-2.0, 0.0, 3.0]))
    assert p.mode.tolist() == [0.0, 0.5, 1.0]


def test_second_derivatives_are_finite_everywhere() -> None:
    logits = torch.tensor([*LOGITS, -300.0, 300.0], requires_grad=True)
    log_prob = ContinuousBernoulli(logits).log_prob(torch.full_like(logits, 0.25))
    (first,) = torch.autograd.grad(log_prob, logits, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), logits)
    assert torch.isfinite(first).all()
    torch.testing.assert_close(-second, ContinuousBernoulli(logits).variance, atol=1e-5, rtol=1e-4)


def test_samples_follow_the_density() -> None:
    logits = torch.tensor([-50.0, -1e-6, 0.0, 2.0, 50.0])
    p = ContinuousBernoulli(logits)
    samples = p.sample((20_000,))
    assert samples.min() >= 0
    assert samples.max() <= 1
    error = (samples.mean(0) - p.mean).abs() / (p.variance / 20_000).sqrt()
    assert error.max() < 4.5


def test_entropy_is_minus_the_mean_log_prob() -> None:
    logits = torch.tensor([[-4.0], [0.0], [7.0]], dtype=torch.float64)
    p = ContinuousBernoulli(logits)
    middles = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    log_prob = p.log_prob(middles[:, None, None])
    expected = -(log_prob.exp() * log_prob).mean(0)
    torch.testing.assert_close(p.entropy(), expected, atol=1e-6, rtol=0)
