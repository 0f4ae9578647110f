"""Distances of samples against naive code, POT and closed forms."""

import math

import numpy as np
import pytest
import torch

from isthmus.distances import (
    SCALES,
    inverse_multiquadratic,
    random_directions,
    squared_mmd,
    squared_sliced_wasserstein,
)

pytestmark = pytest.mark.usefixtures("float64")


def naive_kernel(a, b):
    squared = sum((a[i] - b[i]) ** 2 for i in range(len(a)))
    return sum(2 * len(a) * s / (2 * len(a) * s + squared) for s in SCALES)


def test_the_kernel_and_the_discrepancy_are_those_of_naive_loops():
    a, b = torch.randn(5, 3), torch.randn(4, 3) + 0.5
    x, y = a.numpy(), b.numpy()
    kernel = inverse_multiquadratic(a, b).numpy()
    for i in range(5):
        for j in range(4):
            assert kernel[i, j] == pytest.approx(naive_kernel(x[i], y[j]))
    within = np.mean([naive_kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    other = np.mean([naive_kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    between = np.mean([naive_kernel(p, q) for p in x for q in y])
    assert squared_mmd(a, b).item() == pytest.approx(within + other - 2 * between)
    batched = squared_mmd(torch.stack([a, a + 1]), torch.stack([b, b]))
    torch.testing.assert_close(batched[1], squared_mmd(a + 1, b))


def test_the_discrepancy_is_unbiased_and_sees_a_shift():
    a, b = torch.randn(1000, 12, 2), torch.randn(1000, 12, 2)
    alike = squared_mmd(a, b)
    assert abs(alike.mean()) < 4 * alike.std() / math.sqrt(1000)
    assert squared_mmd(a, b + 1.0).mean() > 20 * alike.std() / math.sqrt(1000)


def test_the_sliced_distance_is_pot_s():
    ot = pytest.importorskip("ot")
    a, b = torch.randn(40, 3), 2.0 * torch.randn(40, 3) + 1.0
    directions = random_directions(25, a)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(25))
    expected = ot.sliced_wasserstein_distance(
        a.numpy(), b.numpy(), projections=directions.T.numpy(), p=2
    )
    found = squared_sliced_wasserstein(a, b, directions)
    assert found.item() == pytest.approx(float(expected) ** 2)


def test_along_one_line_it_is_the_distance_of_the_quantile_functions():
    probabilities = (torch.arange(20_000) + 0.5) / 20_000
    quantiles = torch.special.ndtri(probabilities)[:, None]
    shuffled = quantiles[torch.randperm(20_000)]
    found = squared_sliced_wasserstein(
        2.0 * quantiles + 0.5, 0.7 * shuffled - 1.0, torch.ones(1, 1)
    )
    # W2² of N(0.5, 2²) and N(-1, 0.7²)
    assert found.item() == pytest.approx(1.5**2 + 1.3**2, rel=1e-3)


def test_directions_are_uniform():
    directions = random_directions(50_000, torch.empty(1, 4))
    torch.testing.assert_close(directions.mean(0), torch.zeros(4), atol=0.01, rtol=0)
    torch.testing.assert_close(directions.T.cov(), torch.eye(4) / 4, atol=0.01, rtol=0)
