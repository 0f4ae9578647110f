"""Gaussian priors against torch's own distributions and the sample covariance."""

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.priors import FittedGaussian, StandardNormal

pytestmark = pytest.mark.usefixtures("float64")


def test_standard_normal_density_and_kl():
    prior = StandardNormal((3,))()
    z = torch.randn(2, 5, 3)
    torch.testing.assert_close(prior.log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))
    mean, scale = torch.randn(5, 3), torch.rand(5, 3) + 0.1
    ours = kl_divergence(DiagonalNormal(mean, scale), prior)
    theirs = kl_divergence(
        Independent(Normal(mean, scale), 1),
        Independent(Normal(torch.zeros(3), torch.ones(3)), 1),
    )
    torch.testing.assert_close(ours, theirs)


def test_fitted_gaussian_has_the_codes_mean_and_covariance():
    codes = torch.randn(500, 3) @ torch.randn(3, 3) + torch.tensor([1.0, -2.0, 0.5])
    prior = FittedGaussian((3,))
    prior.fit(codes)
    reference = MultivariateNormal(codes.mean(0), torch.cov(codes.T))
    z = torch.randn(4, 2, 3)
    torch.testing.assert_close(prior().log_prob(z), reference.log_prob(z), rtol=1e-4, atol=1e-4)


def test_fitted_gaussian_survives_an_idle_dimension():
    codes = torch.randn(100, 3)
    codes[:, 1] = 4.0
    prior = FittedGaussian((3,))
    prior.fit(codes)
    assert prior().sample((10,))[:, 1].sub(4.0).abs().max() < 0.01


def test_fitted_gaussian_needs_one_axis():
    with pytest.raises(OptionError, match="one axis"):
        FittedGaussian((3, 2))
