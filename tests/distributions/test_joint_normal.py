"""Dependent normals against torch's, and their rate against torch's and against samples."""

import pytest
import torch
from torch.distributions import (
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from isthmus.distributions import DiagonalNormal, FullNormal, LowRankNormal

pytestmark = pytest.mark.usefixtures("float64")
B, Z, R = 4, 5, 2


def full():
    loc, factor = torch.randn(B, Z), torch.randn(B, Z, Z).tril()
    factor = factor + torch.diag_embed(2.0 - 2.0 * factor.diagonal(dim1=-2, dim2=-1).clamp(max=0))
    return FullNormal(loc, factor), MultivariateNormal(loc, scale_tril=factor)


def low_rank():
    loc, directions, scale = torch.randn(B, Z), torch.randn(B, Z, R), torch.rand(B, Z) + 0.2
    reference = LowRankMultivariateNormal(loc, directions, scale.square())
    return LowRankNormal(loc, directions, scale), reference


@pytest.mark.parametrize("make", [full, low_rank])
class TestJointNormal:
    def test_density_moments_and_entropy_are_torchs(self, make):
        q, reference = make()
        for value in (torch.randn(3, B, Z), torch.randn(B, Z), torch.randn(2, 3, B, Z)):
            torch.testing.assert_close(q.log_prob(value), reference.log_prob(value))
        torch.testing.assert_close(q.mean, reference.mean)
        torch.testing.assert_close(q.variance, reference.variance)
        torch.testing.assert_close(q.entropy(), reference.entropy())

    def test_each_value_meets_each_datum_where_it_has_a_batch_of_one(self, make):
        q, reference = make()
        values = torch.randn(3, 7, 1, Z)
        expected = reference.log_prob(values.expand(3, 7, B, Z))
        torch.testing.assert_close(q.log_prob(values), expected)

    def test_the_rate_is_torchs(self, make):
        q, reference = make()
        loc, scale = torch.randn(Z), torch.rand(Z) + 0.5
        p = MultivariateNormal(loc, scale_tril=scale.diag())
        as_full = MultivariateNormal(reference.mean, reference.covariance_matrix)
        expected = kl_divergence(as_full, p)
        torch.testing.assert_close(kl_divergence(q, DiagonalNormal(loc, scale)), expected)
        standard = DiagonalNormal(torch.zeros(Z), torch.ones(()), is_standard=True)
        expected = kl_divergence(as_full, MultivariateNormal(torch.zeros(Z), torch.eye(Z)))
        torch.testing.assert_close(kl_divergence(q, standard), expected)

    def test_draws_have_its_covariance(self, make):
        q, reference = make()
        drawn = q.sample((60_000,))
        for b in range(B):
            covariance = torch.cov(drawn[:, b].T)
            torch.testing.assert_close(
                covariance, reference.covariance_matrix[b], atol=0.15, rtol=0.05
            )
            error = Normal(0.0, (q.variance[b] / len(drawn)).sqrt())
            assert (error.cdf((drawn[:, b].mean(0) - q.mean[b]).abs()) < 0.9999).all()


@pytest.mark.parametrize("make", [full, low_rank])
def test_autocast_leaves_the_density_alone(make):
    q, _ = make()
    value = torch.randn(3, B, Z)
    with torch.autocast("cpu"):
        assert q.log_prob(value).equal(q.log_prob(value.clone()))
        within = q.log_prob(value)
        assert q.rsample((2,)).dtype == torch.float64
    assert within.equal(q.log_prob(value))
