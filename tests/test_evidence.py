"""Evidence: one record, and identities between its parts."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from isthmus.distributions import DiagonalNormal
from isthmus.evidence import Evidence
from isthmus.likelihoods import GaussianLikelihood

pytestmark = pytest.mark.usefixtures("float64")
S, B, D, Z = 5, 3, 4, 2


def record(p, samples=S):
    q = DiagonalNormal(torch.randn(B, Z), torch.rand(B, Z) + 0.2)
    z = q.rsample((samples,))
    px = GaussianLikelihood((D,), scale=0.7)(torch.randn(samples, B, 1, D))
    return Evidence(torch.randn(B, D), q, p, z, True, lambda _: q, lambda _: px)


def test_log_weights_are_the_joint_over_the_posterior():
    evidence = record(DiagonalNormal(torch.zeros(Z), torch.ones(())))
    expected = (
        Normal(0.0, 1.0).log_prob(evidence.z).sum(-1)
        + Normal(evidence.px.mean, 0.7).log_prob(evidence.x).sum(-1)
        - Normal(evidence.q.mean, evidence.q.stddev).log_prob(evidence.z).sum(-1)
    )
    torch.testing.assert_close(evidence.log_weights, expected)
    assert evidence.log_weights.shape == (S, B)


def test_rate_per_dimension_sums_to_the_rate():
    evidence = record(DiagonalNormal(torch.randn(Z), torch.rand(Z) + 0.5))
    assert evidence.rate_per_dimension.shape == (B, Z)
    torch.testing.assert_close(evidence.rate_per_dimension.sum(1), evidence.rate)


def test_without_a_closed_form_the_rate_is_averaged_over_samples():
    components = Independent(Normal(torch.randn(3, Z), torch.ones(3, Z)), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(3)), components)
    evidence = record(mixture, samples=20_000)
    grid = evidence.q.rsample((200_000,))
    truth = (evidence.q.log_prob(grid) - mixture.log_prob(grid)).mean(0)
    torch.testing.assert_close(evidence.rate, truth, atol=0.03, rtol=0)
    torch.testing.assert_close(evidence.rate_per_dimension, evidence.rate.unsqueeze(1))
