"""Measures of likelihood and information: against closed forms, and as `evaluate` takes them."""

import math
import re

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from isthmus.annealing import Annealing
from isthmus.data import load
from isthmus.errors import OptionError, UnsupportedError
from isthmus.evaluation import evaluate, inference_gaps
from isthmus.evaluation.diagnosis import collapse
from isthmus.evaluation.measures import likelihood
from isthmus.evaluation.measures.information import surgery
from isthmus.evaluation.measures.likelihood import few_effective
from isthmus.fitting import fit
from isthmus.likelihoods import GaussianLikelihood
from isthmus.metrics import mean_and_error
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import MixturePrior, StandardNormal

D, Z, NOISE = 4, 2, 0.5


@pytest.fixture
def linear(float64):
    """A model of x = W z + noise, its encoder's gain and variances, and p(x)."""
    encoder, likelihood = MLPEncoder((D,), ()), GaussianLikelihood((D,), scale=NOISE)
    model = LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (Z,)),
        StandardNormal((Z,)),
        MLPDecoder((Z,), likelihood.parameter_shape(), ()),
        likelihood,
    )
    generator = torch.Generator().manual_seed(3)
    w = torch.randn(D, Z, generator=generator)
    gain = 0.4 * torch.randn(Z, D, generator=generator)
    variances = torch.tensor([0.5, 0.2])
    with torch.no_grad():
        model.decoder.layers[1].weight.copy_(w)
        model.decoder.layers[1].bias.zero_()
        model.posterior.head.weight.copy_(torch.cat([gain, torch.zeros(Z, D)]))
        model.posterior.head.bias.copy_(torch.cat([torch.zeros(Z), variances.log()]))
    marginal = MultivariateNormal(torch.zeros(D), w @ w.T + NOISE**2 * torch.eye(D))
    return model, gain, variances, marginal


def test_the_rate_of_a_linear_model_splits_as_in_closed_form(linear):
    model, gain, variances, marginal = linear
    x = marginal.sample((2000,))
    found = surgery(model, x)
    s = gain @ marginal.covariance_matrix @ gain.T + torch.diag(variances)
    q = MultivariateNormal(torch.zeros(Z), s)
    p = MultivariateNormal(torch.zeros(Z), torch.eye(Z))
    by_dimension = 0.5 * (s.diagonal() - 1 - s.diagonal().log())
    truth = {
        "information": 0.5 * (torch.logdet(s) - variances.log().sum()),
        "marginal": kl_divergence(q, p),
        "total_correlation": 0.5 * (s.diagonal().log().sum() - torch.logdet(s)),
        "rate": 0.5 * (torch.logdet(s) - variances.log().sum()) + kl_divergence(q, p),
    }
    for name, value in truth.items():
        mean, error = mean_and_error(getattr(found, name))
        assert abs(mean - float(value)) < 4 * error + 0.02, name
    np.testing.assert_allclose(found.per_dimension.mean(0), by_dimension, rtol=0.15, atol=0.05)
    with torch.no_grad():
        rate = model.evidence(x).rate.mean()
    assert found.rate.mean() == pytest.approx(float(rate), abs=0.1)


def test_a_prior_that_does_not_factorise_leaves_the_dimensions_out(linear):
    model, _, _, marginal = linear
    model.prior = MixturePrior((Z,), components=3)
    x = marginal.sample((50,))
    found = surgery(model, x)
    assert np.isnan(found.per_dimension).all()
    assert np.isfinite(found.total_correlation).all()
    z_prior = found.rate - found.information
    np.testing.assert_allclose(z_prior, found.marginal)


def test_the_gaps_of_a_linear_model_are_those_of_its_posteriors(linear):
    model, gain, variances, marginal = linear
    x = marginal.sample((20,))
    w = model.decoder.layers[1].weight.detach()
    precision = torch.eye(Z) + w.T @ w / NOISE**2
    exact = MultivariateNormal(
        x @ w @ torch.linalg.inv(precision) / NOISE**2, precision_matrix=precision.expand(20, Z, Z)
    )
    ours = MultivariateNormal(x @ gain.T, torch.diag(variances).expand(20, Z, Z))
    whole = kl_divergence(ours, exact)
    approximation = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
    how = Annealing(chains=64, steps=20)
    found = inference_gaps(model, x, steps=60, samples=4000, annealing=how)
    assert found.approximation.mean() == pytest.approx(float(approximation), abs=0.05)
    whole_found = found.gap + found.approximation
    torch.testing.assert_close(whole_found.mean(), whole.mean(), atol=0.0, rtol=0.1)
    with pytest.raises(OptionError, match="annealing="):
        _ = inference_gaps(model, x, steps=1, samples=2).approximation


def test_effective_samples_are_those_of_the_chi_square(linear):
    """E[w²] / E[w]² of two Gaussians is exp of the Rényi divergence of order 2, in closed form."""
    model, _, _, marginal = linear
    x = marginal.sample((30,))
    w = model.decoder.layers[1].weight.detach()
    with torch.no_grad():
        # A posterior about the truth's mean, somewhat wider: all moments exist.
        precision = torch.eye(Z) + w.T @ w / NOISE**2
        covariance = torch.linalg.inv(precision)
        model.posterior.head.weight[:Z] = covariance @ w.T / NOISE**2
        wide = 2.0 * torch.linalg.eigvalsh(covariance).max() * torch.ones(Z)
        model.posterior.head.bias[Z:] = wide.log()
    # ∫ p²/q of centred normals: |Q|^{1/2} |P|^{-1} |2 P⁻¹ − Q⁻¹|^{-1/2}.
    q = torch.diag(wide)
    twice = 2 * precision - torch.linalg.inv(q)
    chi = 0.5 * torch.logdet(q) + torch.logdet(precision) - 0.5 * torch.logdet(twice)
    samples = 20_000
    found = model.importance(x, samples)
    expected = samples * torch.exp(-chi)
    torch.testing.assert_close(found.effective, expected.expand(30), rtol=0.05, atol=0)
    error = ((chi.exp() - 1) / samples).sqrt()
    torch.testing.assert_close(found.error, error.expand(30), rtol=0.05, atol=0)
    deviations = (found.log_likelihood - marginal.log_prob(x)) / found.error
    assert deviations.abs().max() < 4
    assert deviations.std() == pytest.approx(1.0, abs=0.4)
    one = model.importance(x, 1)
    assert one.error.isnan().all()
    assert (one.effective == 1).all()


def test_few_effective_samples_are_said():
    assert few_effective(np.array([50.0, 10.0]), 100) == []
    (said,) = few_effective(np.array([50.0, 9.0, 1.2]), 100)
    assert "2 of 3" in said
    assert "of 100 importance samples" in said


RATES = np.array([4.0, 0.01, 0.0, 2.0])


@pytest.mark.parametrize(
    ("rates", "options", "said"),
    [
        (np.array([1.0, 0.06]), {"beta": 8.0}, "^$"),
        (RATES, {"beta": 4.0}, "^2 of 4 dimensions carry under 0.05 bits: beta = 4 is too high"),
        (RATES, {"nats": 0.1}, "too few at nats = 0.1"),
        (RATES, {}, "2 may be all that the data need"),
        (0 * RATES, {"beta": 1.0}, "^4 of 4 .* does without the code"),
        (np.zeros(1), {"beta": 9}, "^The only dimension carries"),
    ],
)
def test_collapse_is_said_with_what_to_do(rates, options, said):
    assert re.search(said, collapse(rates, options))


@pytest.fixture(scope="module")
def strict():
    """A run whose beta leaves nothing in the code."""
    x = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32) @ np.diag(
        [3, 1, 1, 1, 1, 1]
    ).astype(np.float32)
    source = load(x)
    return fit(source, "beta-vae", beta=50.0, latent_dim=3, epochs=3, threads=1), source


def test_measures_of_trust_and_information_on_a_run(strict, monkeypatch):
    monkeypatch.setattr(likelihood, "HOW", Annealing(chains=4, steps=5))
    run, source = strict
    names = ["bits-per-dim", "annealed", "bdmc", "gaps", "information", "dimensions", "codes"]
    found = evaluate(run, source, measures=[*names, "likelihood"], samples=50)
    values = found.values
    expected = values["nll"].value / (6 * math.log(2))
    assert values["bits_dim"].value == pytest.approx(expected)
    assert 1 <= values["ess"].value <= 50
    assert values["idle"].value == 3
    assert any("beta = 50 is too high" in said for said in found.words)
    assert "no integers" in found.why_missing["usage"]
    rate = values["rate"].value
    parts = values["mi"].value + values["marginal_kl"].value
    assert parts == pytest.approx(rate, abs=0.2)
    assert values["mi"].value <= values["mi_upper"].value
    assert values["total_correlation"].value + values["dimension_kl"].value == pytest.approx(
        values["marginal_kl"].value
    )
    assert values["nll_annealed"].value == pytest.approx(values["nll"].value, rel=0.3)
    assert values["gap_amortisation"].value > -0.1
    assert values["bdmc_gap"].value == pytest.approx(
        values["bdmc_upper"].value - values["bdmc_lower"].value
    )


def test_what_a_code_can_tell_is_at_most_its_rate():
    """Sharp posteriors far from each other: leaving one out bounds nothing, the rate does."""
    x = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    run = fit(load(x), "beta-vae", beta=1e-3, latent_dim=5, epochs=40, lr=0.01, threads=1)
    found = evaluate(run, load(x), measures=["information", "likelihood"], samples=2).values
    left_out = surgery(run.model, torch.as_tensor(x[:60])).upper.mean() / math.log(2)
    rate = found["rate"]
    assert left_out > 2 * rate.value
    assert found["mi_upper"].value == pytest.approx(rate.value, abs=4 * rate.error + 0.5)


def test_bits_of_greys_are_those_of_score():
    run = fit(load("digits"), "vae", latent_dim=2, epochs=1, threads=1)
    found = evaluate(run, load("digits"), measures=["bits-per-dim", "likelihood"], samples=5)
    # A density of x / 16 is one of x after 4 bits for each of the 64 pixels.
    expected = found.values["nll"].value / math.log(2) / 64 + 4
    assert found.values["bits_dim"].value == pytest.approx(expected)


def test_codes_of_integers_are_counted():
    x = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    axes = {"posterior": "fsq", "prior": "uniform-codes", "objective": "reconstruction"}
    run = fit(load(x), "custom", latent_dim=2, epochs=1, threads=1, **axes)
    found = evaluate(run, load(x), measures=["codes", "information", "dimensions"])
    assert 0 < found.values["usage"].value <= 1
    assert found.values["perplexity"].value >= 1
    assert "no density" in found.why_missing["mi"]
    assert "no density" in found.why_missing["idle"]


def test_a_posterior_of_more_than_z_is_refused():
    x = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    run = fit(load(x), "custom", posterior="hamiltonian", latent_dim=2, epochs=1, threads=1)
    found = evaluate(run, load(x), measures=["information", "annealed"])
    assert "none of z alone" in found.why_missing["mi"]
    assert "start='prior'" in found.why_missing["nll_annealed"]
    with pytest.raises(UnsupportedError):
        inference_gaps(run.model, torch.as_tensor(x))
