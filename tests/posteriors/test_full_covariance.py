"""The full-covariance posterior: its factor, and the marginal likelihood of a linear model."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.importance import importance_estimate
from isthmus.posteriors import FullCovarianceGaussian

pytestmark = pytest.mark.usefixtures("float64")
B, H, Z = 5, 8, 3


def test_the_factor_is_a_unit_triangle_times_the_scales():
    posterior = FullCovarianceGaussian(H, (Z,))
    h = torch.randn(B, H)
    q, out, below = posterior(h), posterior.head(h), posterior.dependence(h)
    for b in range(B):
        unit = torch.eye(Z)
        unit[1, 0], unit[2, 0], unit[2, 1] = below[b]
        factor = unit @ torch.diag((0.5 * out[b, Z:]).exp())
        z = torch.randn(7, Z)
        expected = MultivariateNormal(out[b, :Z], scale_tril=factor).log_prob(z)
        found = q.log_prob(z[:, None].expand(7, B, Z))[:, b]
        torch.testing.assert_close(found, expected)


def test_the_low_rank_covariance_is_as_written():
    posterior = FullCovarianceGaussian(H, (Z,), rank=2)
    h = torch.randn(B, H)
    q, out = posterior(h), posterior.head(h)
    v = posterior.dependence(h).view(B, Z, 2)
    scale = torch.diag_embed((0.5 * out[:, Z:]).exp())
    covariance = scale @ (torch.eye(Z) + v @ v.mT / 2) @ scale
    z = torch.randn(4, B, Z)
    expected = MultivariateNormal(out[:, :Z], covariance).log_prob(z)
    torch.testing.assert_close(q.log_prob(z), expected)


def test_with_the_true_posterior_every_importance_weight_is_the_marginal():
    D, noise = 6, 0.5
    w, bias, x = torch.randn(D, Z), torch.randn(D), torch.randn(B, D)
    covariance = torch.linalg.inv(torch.eye(Z) + w.T @ w / noise**2)
    factor = torch.linalg.cholesky(covariance)
    posterior = FullCovarianceGaussian(D, (Z,))
    with torch.no_grad():
        for p in posterior.parameters():
            p.zero_()
        gain = covariance @ w.T / noise**2
        posterior.head.weight[:Z], posterior.head.bias[:Z] = gain, -gain @ bias
        posterior.head.bias[Z:] = 2.0 * factor.diagonal().log()
        row, column = torch.tril_indices(Z, Z, -1)
        posterior.dependence.bias[:] = (factor / factor.diagonal())[row, column]

    def generate(z):
        return DiagonalNormal(z @ w.T + bias, torch.tensor(noise))

    p = DiagonalNormal(torch.zeros(Z), torch.ones(()), is_standard=True)
    marginal = MultivariateNormal(bias, w @ w.T + noise**2 * torch.eye(D)).log_prob(x)
    for samples in (1, 7):
        found = importance_estimate(x, posterior(x), p, generate, samples).log_likelihood
        torch.testing.assert_close(found, marginal)


def test_a_code_of_one_dimension_is_a_plain_normal():
    posterior = FullCovarianceGaussian(H, (1,))
    h = torch.randn(B, H)
    mean, log_variance = posterior.head(h).unbind(-1)
    expected = -0.5 * (mean.square() / log_variance.exp() + log_variance + math.log(2 * math.pi))
    torch.testing.assert_close(posterior(h).log_prob(torch.zeros(B, 1)), expected)


@pytest.mark.parametrize("rank", [0, Z + 1])
def test_a_rank_without_meaning_is_refused(rank):
    with pytest.raises(OptionError, match="rank must lie between 1 and"):
        FullCovarianceGaussian(H, (Z,), rank=rank)


def test_codes_on_a_grid_are_refused_with_a_choice_that_works():
    with pytest.raises(OptionError, match="use 'diagonal'"):
        FullCovarianceGaussian(H, (2, 2))
