"""The analytic scale of sigma-VAE."""

from __future__ import annotations

import math

import pytest
import torch

from isthmus.likelihoods import OptimalGaussianLikelihood


def test_training_reads_the_batchs_own_variance() -> None:
    likelihood = OptimalGaussianLikelihood((4,))
    parameters, x = torch.randn(2, 3, 1, 4).double(), torch.randn(3, 4).double()
    variance = (x - parameters[:, :, 0]).square().mean()
    twin = torch.distributions.Normal(parameters[:, :, 0], variance.sqrt())
    torch.testing.assert_close(likelihood(parameters).log_prob(x), twin.log_prob(x).sum(-1))
    # At its own maximum the log density is that of a Gaussian's entropy.
    expected = -0.5 * 4 * (math.log(2 * math.pi) + variance.log() + 1)
    torch.testing.assert_close(likelihood(parameters).log_prob(x).mean(), expected)


def test_the_constant_variance_gives_the_gradient_of_the_full_expression() -> None:
    likelihood = OptimalGaussianLikelihood((4,))
    parameters = torch.randn(2, 3, 1, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(3, 4, dtype=torch.float64)
    (ours,) = torch.autograd.grad(likelihood(parameters).log_prob(x).mean(), parameters)
    squares = (x - parameters[:, :, 0]).square()
    variance = squares.mean()
    full = -0.5 * (squares / variance + variance.log() + math.log(2 * math.pi)).sum(-1)
    (expected,) = torch.autograd.grad(full.mean(), parameters)
    torch.testing.assert_close(ours, expected)


def test_evaluation_reads_the_running_mean_and_leaves_it_alone() -> None:
    likelihood = OptimalGaussianLikelihood((4,), rate=0.25)
    zeros = torch.zeros(1, 3, 1, 4)
    running, variances = 1.0, [4.0, 1.0, 9.0, 0.25, 16.0, 1.0]
    for step, variance in enumerate(variances, start=1):
        likelihood(zeros).log_prob(torch.full((3, 4), math.sqrt(variance)))
        weight = max(1 / step, 0.25)
        running += weight * (variance - running)
    assert likelihood.variance.item() == pytest.approx(running)
    likelihood.eval()
    p = likelihood(zeros)
    first, second = p.log_prob(torch.ones(3, 4)), p.log_prob(torch.full((3, 4), 5.0))
    assert likelihood.variance.item() == pytest.approx(running)
    torch.testing.assert_close(p.variance, torch.full((1, 3, 4), running))
    torch.testing.assert_close(first - second, torch.full((1, 3), 4 * 12 / running))


def test_perfect_reconstruction_stays_finite() -> None:
    likelihood = OptimalGaussianLikelihood((4,), min_scale=0.1)
    x = torch.randn(3, 4)
    log_prob = likelihood(x[None, :, None]).log_prob(x)
    expected = -4 * (math.log(0.1) + 0.5 * math.log(2 * math.pi))
    torch.testing.assert_close(log_prob, torch.full((1, 3), expected))


def test_the_running_mean_is_part_of_the_state() -> None:
    likelihood = OptimalGaussianLikelihood((4,))
    likelihood(torch.zeros(3, 1, 4)).log_prob(torch.randn(3, 4))
    twin = OptimalGaussianLikelihood((4,))
    twin.load_state_dict(likelihood.state_dict())
    assert twin.variance == likelihood.variance
    assert twin.n_observed == 1.0


def test_the_training_density_samples_around_its_means() -> None:
    likelihood = OptimalGaussianLikelihood((2,))
    p = likelihood(torch.full((5, 1, 2), 3.0)).expand((4, 5))
    assert p.mean.shape == p.mode.shape == p.variance.shape == (4, 5, 2)
    samples = p.sample((3000,))
    torch.testing.assert_close(samples.mean(0), p.mean, atol=0.1, rtol=0)
