"""A latent model as a prior against the closed form of a chain of linear-Gaussian levels."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from isthmus.data import Scaling
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import LatentModelPrior, Prior, StandardNormal

pytestmark = pytest.mark.usefixtures("float64")


def level(matrix, offset, noise, prior: Prior, scaling: Scaling | None = None) -> LatentModel:
    """z = matrix u + offset + noise, with q(u|z) a broad Gaussian that ignores z."""
    size, latent = matrix.shape
    encoder, likelihood = MLPEncoder((size,), ()), GaussianLikelihood((size,), scale=noise)
    model = LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (latent,)),
        prior,
        MLPDecoder((latent,), likelihood.parameter_shape(), ()),
        likelihood,
        scaling,
    )
    with torch.no_grad():
        model.decoder.layers[1].weight.copy_(matrix)
        model.decoder.layers[1].bias.copy_(offset)
        model.posterior.head.weight.zero_()
        model.posterior.head.bias[:latent] = 0.1
        model.posterior.head.bias[latent:] = 2.0 * math.log(1.3)
    return model


@pytest.fixture
def chain(float64):
    """Three levels of widths 3, 2, 1, the middle one's codes in units of their own."""
    A, a = torch.tensor([[0.8], [-0.5]]), torch.tensor([0.2, -0.1])
    B = torch.tensor([[0.6, 0.1], [-0.3, 0.5], [0.2, 0.4]])
    b = torch.tensor([0.1, -0.3, 0.5])
    units = Scaling((2,), "column")
    units.shift.copy_(torch.tensor([0.4, -0.6]))
    units.scale.copy_(torch.tensor([1.5, 0.7]))
    inner = level(A, a, 0.9, StandardNormal((1,)), units)
    model = level(B, b, 0.8, LatentModelPrior((2,), inner))
    S = torch.diag(units.scale)
    middle = MultivariateNormal(
        units.shift + units.scale * a, S @ (A @ A.T + 0.81 * torch.eye(2)) @ S
    )
    lowest = MultivariateNormal(
        b + B @ middle.mean, B @ middle.covariance_matrix @ B.T + 0.64 * torch.eye(3)
    )
    return model, middle, lowest


def test_the_prior_s_estimate_is_an_unbiased_density_of_codes(chain):
    model, middle, _ = chain
    z = middle.sample((5,))
    with torch.no_grad():
        found = model.prior().log_prob(z.expand(20_000, 5, 2)).exp().mean(0)
    torch.testing.assert_close(found.log(), middle.log_prob(z), atol=0.03, rtol=0)


def test_the_importance_weight_of_a_chain_is_the_joint_one(chain):
    model, _, lowest = chain
    # Near the mean, where a posterior that ignores x still covers it.
    x = lowest.mean + 0.4 * (lowest.sample((5,)) - lowest.mean)
    found = model.log_likelihood(x, samples=20_000)
    assert (found - lowest.log_prob(x)).abs().max() < 0.06
    evidence = model.evidence(x, samples=3)
    with torch.no_grad():
        joint = model.prior().log_prob(evidence.z)
    # The prior's draw of its own latent differs from call to call; nothing else does.
    rest = evidence.log_weights - evidence.log_prior
    torch.testing.assert_close(rest, -evidence.log_posterior - evidence.distortion)
    assert joint.shape == evidence.log_prior.shape == (3, 5)


def test_draws_follow_the_marginal_at_every_level(chain):
    model, middle, lowest = chain
    for drawn, expected in (
        (model.prior().sample((40_000,)), middle),
        (model.sample(40_000, "sample"), lowest),
    ):
        torch.testing.assert_close(drawn.mean(0), expected.mean, atol=0.03, rtol=0)
        torch.testing.assert_close(drawn.T.cov(), expected.covariance_matrix, atol=0.06, rtol=0)
