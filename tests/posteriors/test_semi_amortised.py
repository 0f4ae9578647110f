"""Refined posteriors against the exact ones of a linear Gaussian model."""

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from isthmus.data import load
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.evaluation import inference_gaps
from isthmus.posteriors.semi_amortised import SemiAmortised, hadamard_signs, refined
from isthmus.recipes import build_recipe

Z, D, NOISE = 3, 6, 0.5


@pytest.fixture
def linear(float64):
    """A linear decoder with its exact mean-field optimum and p(x)."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(D, Z, generator=generator)
    x = torch.randn(7, D, generator=generator) * 2

    def log_joint(z):
        likelihood = Normal(z @ weights.T, NOISE).log_prob(x).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1)

    precision = torch.eye(Z) + weights.T @ weights / NOISE**2
    mean = x @ weights @ torch.linalg.inv(precision) / NOISE**2
    best = DiagonalNormal(mean, precision.diagonal().rsqrt().expand_as(mean))
    marginal = MultivariateNormal(
        torch.zeros(D), weights @ weights.T + NOISE**2 * torch.eye(D)
    ).log_prob(x)
    exact = MultivariateNormal(mean, torch.linalg.inv(precision).expand(7, Z, Z))
    whole = MultivariateNormal(best.loc, torch.diag_embed(best.scale**2))
    return log_joint, best, marginal - kl_divergence(whole, exact)


def bound(q, log_joint):
    """The exact ELBO of a quadratic log joint: sign vectors of a whole Hadamard matrix."""
    z = q.loc + hadamard_signs(4, (Z,)).double().unsqueeze(1) * q.scale
    return log_joint(z).mean(0) + q.entropy()


def test_many_steps_reach_the_best_factorised_posterior_and_its_bound(linear):
    log_joint, best, truth = linear
    start = DiagonalNormal(torch.zeros(7, Z), torch.ones(7, Z))
    q = refined(start, log_joint, hadamard_signs(4, (Z,)).double().unsqueeze(1), 150)
    torch.testing.assert_close(q.loc, best.loc, atol=1e-5, rtol=0)
    torch.testing.assert_close(q.scale, best.scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(bound(q, log_joint), truth, atol=1e-9, rtol=0)


def test_every_step_keeps_or_raises_every_datum_s_bound(linear):
    log_joint, _, truth = linear
    start = DiagonalNormal(torch.randn(7, Z), torch.rand(7, Z) + 0.5)
    signs = hadamard_signs(4, (Z,)).double().unsqueeze(1)
    bounds = torch.stack([bound(refined(start, log_joint, signs, k), log_joint) for k in range(12)])
    assert (bounds.diff(dim=0) >= -1e-12).all()
    assert (bounds[-1] > bounds[0] + 1.0).all()
    assert (bounds <= truth + 1e-9).all()


def test_gradients_pass_through_the_steps_as_finite_differences_say(float64):
    posterior = SemiAmortised(4, (2,), steps=3, pairs=2).eval()
    weights = torch.randn(5, 2, requires_grad=True)
    h, x = torch.randn(6, 4), torch.randn(6, 5)

    def loss(w):
        def log_joint(z):
            return Normal(torch.tanh(z) @ w.T, 0.7).log_prob(x).sum(-1) - z.square().sum(-1) / 2

        q = posterior.refine(posterior(h), log_joint)
        return (q.loc.sin() + q.scale).sum()

    assert torch.autograd.gradcheck(loss, (weights,), eps=1e-7, atol=1e-5)


def test_the_whole_matrix_has_the_moments_of_independent_signs():
    for size in (1, 3, 8):
        signs = hadamard_signs(8, (size,))
        torch.testing.assert_close(signs.T @ signs / len(signs), torch.eye(size))
        assert signs.sum(0).eq(0).all()


def test_no_pairs_are_refused():
    with pytest.raises(OptionError, match="pairs=0"):
        SemiAmortised(4, (2,), pairs=0)


def test_the_amortisation_gap_of_an_untrained_encoder_is_measured(linear):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(40, 6, generator=generator).numpy()
    source = load(x)
    model = build_recipe("vae", source.spec, latent_dim=2, network="linear").model.double()
    gaps = inference_gaps(model, source.x.double(), steps=60, samples=4000)
    w = model.decoder.layers[1].weight.detach()
    u = model.scaling(source.x.double()) - model.decoder.layers[1].bias.detach()
    s2 = model.likelihood.scale().detach() ** 2
    covariance = w @ w.T + torch.diag(s2)
    marginal = MultivariateNormal(torch.zeros(6), covariance).log_prob(u)
    precision = torch.eye(2) + w.T @ torch.diag(1 / s2) @ w
    # A factorised Gaussian's least KL to a correlated one, by its precision alone.
    least = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
    torch.testing.assert_close(gaps.refined, marginal - least, atol=0.1, rtol=0)
    q = model.infer(model.scaling(source.x.double()))
    exact_mean = u @ torch.diag(1 / s2) @ w @ torch.linalg.inv(precision)
    exact = MultivariateNormal(exact_mean, torch.linalg.inv(precision).expand(40, 2, 2))
    ours = MultivariateNormal(q.loc, torch.diag_embed(q.scale**2))
    amortised = marginal - kl_divergence(ours, exact)
    torch.testing.assert_close(gaps.amortised, amortised, atol=0.2, rtol=0.02)
    torch.testing.assert_close(gaps.gap, gaps.refined - gaps.amortised)
