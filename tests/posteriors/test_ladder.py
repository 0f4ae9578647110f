"""A whole ladder of linear-Gaussian levels against the exact log p(x)."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from isthmus.distributions import LadderNormal
from isthmus.errors import OptionError
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import LeadingDecoder, MLPDecoder, MLPEncoder
from isthmus.objectives import Elbo, FreeBits, Iwae
from isthmus.posteriors import DiagonalGaussian, LadderPosterior
from isthmus.priors import LadderPrior, StandardNormal, VampPrior

pytestmark = pytest.mark.usefixtures("float64")
WIDTHS, D, B, NOISE = (3, 2, 1), 4, 5, 0.8


def linear_ladder():
    encoder, likelihood = MLPEncoder((D,), ()), GaussianLikelihood((D,), scale=NOISE)
    decoder = MLPDecoder(WIDTHS[:1], likelihood.parameter_shape(), ())
    posterior = LadderPosterior(D, (9,), WIDTHS, hidden=())
    prior = LadderPrior((sum(WIDTHS),), WIDTHS, hidden=())
    with torch.no_grad():
        for descent, width in zip(prior.descents, WIDTHS, strict=False):
            descent[-1].weight.normal_(0.0, 0.5)
            descent[-1].weight[width:] = 0.0  # scales that do not vary, as the oracle has them
        decoder.layers[-1].weight.normal_(0.0, 0.4)
        for head, width in zip(posterior.heads, WIDTHS, strict=True):
            head.weight.mul_(0.1)
            head.bias[width:] = -3.0  # broad, so that importance weights have a variance
    leading = LeadingDecoder(decoder, WIDTHS[0])
    return LatentModel(encoder, posterior, prior, leading, likelihood)


def evidence_of(model):
    """The exact law of x: one level after another, from the top."""
    law = MultivariateNormal(torch.zeros(1), torch.eye(1))
    for level in (1, 0):
        linear, width = model.prior.descents[level][-1], WIDTHS[level]
        A, a, log_scale = linear.weight[:width], linear.bias[:width], linear.bias[width:].tanh()
        noise = torch.diag((2.0 * log_scale).exp())
        law = MultivariateNormal(A @ law.mean + a, A @ law.covariance_matrix @ A.T + noise)
    W, w = model.decoder.decoder.layers[-1].weight, model.decoder.decoder.layers[-1].bias
    return MultivariateNormal(
        W @ law.mean + w, W @ law.covariance_matrix @ W.T + NOISE**2 * torch.eye(D)
    )


@pytest.fixture
def model(float64):
    return linear_ladder().eval()


def test_importance_sampling_finds_the_exact_log_evidence(model):
    with torch.no_grad():
        law = evidence_of(model)
        # Near the mean, where a posterior that all but ignores x still covers it.
        x = law.mean + 0.4 * (law.sample((B,)) - law.mean)
        weights = (model.evidence(x, 20_000).log_weights - law.log_prob(x)).exp()
        error = weights.std(0) / len(weights) ** 0.5
        assert ((weights.mean(0) - 1.0).abs() < 4.0 * error).all()
        assert (error < 0.05).all()
        found = model.log_likelihood(x, samples=5000)
        assert ((found - law.log_prob(x)).abs() < 8.0 * error).all()
        drawn = model.sample(40_000, "sample")
    torch.testing.assert_close(drawn.mean(0), law.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), law.covariance_matrix, atol=0.1, rtol=0)


def test_bounds_climb_to_the_log_evidence_from_below(model):
    with torch.no_grad():
        law = evidence_of(model)
        # Near the mean, where a posterior that all but ignores x still covers it.
        x = law.mean + 0.4 * (law.sample((B,)) - law.mean)
        exact = law.log_prob(x).mean()
        bounds = []
        for objective in (Elbo(), Iwae(10), Iwae(200)):
            losses = [
                objective.eval()(model.evidence(x, objective.samples)).total for _ in range(60)
            ]
            bounds.append(-torch.stack(losses).mean())
    assert bounds[0] < bounds[1] < bounds[2] < exact + 0.02
    assert bounds[0] < exact - 0.1
    assert (exact - bounds[2]).abs() < 0.05


def test_the_rate_is_level_by_level_and_free_bits_count_levels(model):
    x = torch.randn(B, D)
    with torch.no_grad():
        evidence = model.evidence(x, 20_000)
        sampled = evidence.log_posterior - evidence.log_prior
    assert isinstance(evidence.q, LadderNormal)
    levels = evidence.rate_per_dimension
    assert levels.shape == (B, 3)
    torch.testing.assert_close(evidence.rate, levels.sum(1))
    torch.testing.assert_close(evidence.rate, sampled.mean(0), atol=0.05, rtol=0.02)
    # The highest level's posterior does not hang on any other: torch's closed form.
    q, p = evidence.q.conditionals(evidence.z)[2], evidence.p.conditionals(evidence.z)[2]
    torch.testing.assert_close(levels[:, 2], kl_divergence(q, p).expand(B))
    nats = levels.mean(0).sort().values[1].item()
    loss = FreeBits(nats, samples=20_000).train()(evidence)
    paid = levels.mean(0).clamp(min=nats).sum()
    torch.testing.assert_close(loss.total, evidence.mean_distortion.mean() + paid)
    half = FreeBits(0.0, beta=0.5).eval()(evidence)
    torch.testing.assert_close(half.total, (evidence.mean_distortion + 0.5 * evidence.rate).mean())


def test_the_bottom_up_heads_say_the_product_with_a_standard_normal():
    posterior = LadderPosterior(4, (3,), (2, 1), hidden=(8,))
    h = torch.randn(B, 4)
    said = posterior(h)
    mean, log_precision = posterior.heads[0](h).chunk(2, -1)
    precision = log_precision.exp()
    torch.testing.assert_close(said.scale[:, :2].pow(-2), precision)
    product = said.loc[:, :2] * precision / (precision + 1.0)
    torch.testing.assert_close(product, mean)


def test_codes_run_through_the_decoder_by_their_lowest_level_alone(model):
    x = torch.randn(B, D)
    codes = model.encode(x)
    moved = codes.clone()
    moved[:, WIDTHS[0] :] += 1.0
    assert model.decode(codes).equal(model.decode(moved))
    assert model.reconstruct(x).equal(model.decode(codes))


def test_priors_of_another_make_are_refused():
    model = linear_ladder()
    parts = model.encoder, model.posterior, model.decoder, model.likelihood
    encoder, posterior, decoder, likelihood = parts
    for prior, message in (
        (StandardNormal((6,)), "'ladder'"),
        (LadderPrior((6,), (4, 2)), "ladder of 3 \\+ 2 \\+ 1"),
        (VampPrior((D,), 3), "of the model's prior"),
    ):
        with pytest.raises(OptionError, match=message):
            LatentModel(encoder, posterior, prior, decoder, likelihood)
    with pytest.raises(OptionError, match="space"):
        LatentModel(encoder, DiagonalGaussian(D, (6,)), model.prior, decoder, likelihood)
