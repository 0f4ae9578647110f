"""The negative binomial at both ends of its dispersion, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from isthmus.distributions import NegativeBinomial, Poisson

COUNTS = torch.tensor([0.0, 1.0, 7.0, 60.0])


@pytest.mark.parametrize("r", [1e-4, 0.1, 3.0, 1e3, 1e6])
@pytest.mark.parametrize("mean", [1e-3, 1.0, 40.0])
def test_single_precision_agrees_with_scipy(r: float, mean: float) -> None:
    log_mean = torch.tensor(mean).log().expand(4)
    ours = NegativeBinomial(log_mean, torch.tensor(r), event_dims=0).log_prob(COUNTS)
    exact_r = float(torch.tensor(r))
    exact_mean = float(log_mean[0].double().exp())
    p = exact_r / (exact_r + exact_mean)
    # scipy's own log-gammas cancel for large r, by 1e-8 at most in double precision.
    expected = stats.nbinom.logpmf(COUNTS.numpy(), exact_r, p)
    np.testing.assert_allclose(ours, expected, rtol=3e-6, atol=2e-5)


def test_it_becomes_a_poisson() -> None:
    log_mean = torch.tensor([-1.0, 0.0, 2.0, 4.0])
    limit = NegativeBinomial(log_mean, torch.tensor(1e9)).log_prob(COUNTS)
    torch.testing.assert_close(limit, Poisson(log_mean).log_prob(COUNTS), atol=2e-5, rtol=0)


@pytest.mark.parametrize("count", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("r", [1e-3, 2.0, 1e5])
def test_gradients_also_where_the_count_is_the_mean(count: float, r: float) -> None:
    log_mean = torch.zeros((), dtype=torch.float64, requires_grad=True)
    dispersion = torch.tensor(r, dtype=torch.float64, requires_grad=True)
    p = NegativeBinomial(log_mean, dispersion, event_dims=0)
    by_mean, by_r = torch.autograd.grad(
        p.log_prob(torch.tensor(count, dtype=torch.float64)), (log_mean, dispersion)
    )
    assert by_mean.item() == pytest.approx(count - (count + r) / (1 + r), abs=1e-9)
    terms = sum(1 / (r + k) for k in range(int(count)))
    expected = terms + np.log(r / (r + 1)) + 1 - (r + count) / (r + 1)
    assert by_r.item() == pytest.approx(expected, rel=1e-6, abs=1e-10)
