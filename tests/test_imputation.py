"""Imputation against the conditional Gaussian of a model whose parameters are known."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

import isthmus
from isthmus.data import Scaling, load
from isthmus.distributions import Bernoulli, DiagonalNormal, Observed
from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.fitting import fit
from isthmus.imputation import impute
from isthmus.likelihoods import GaussianLikelihood, ObservedLikelihood, OptimalGaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MaskedEncoder, MLPDecoder, MLPEncoder
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import StandardNormal
from isthmus.recipes import build_recipe

D, Z, NOISE = 5, 2, 0.6


@pytest.fixture
def known(float64):
    """A linear Gaussian model with random parameters, its data with gaps, and its covariance."""
    encoder = MaskedEncoder(MLPEncoder((2 * D,), ()))
    likelihood = ObservedLikelihood(GaussianLikelihood((D,), NOISE))
    model = LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (Z,)),
        StandardNormal((Z,)),
        MLPDecoder((Z,), likelihood.parameter_shape(), ()),
        likelihood,
        Scaling((D,), "column"),
    )
    layer = model.decoder.layers[1]
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.zeros_(model.posterior.head.weight)
    torch.nn.init.zeros_(model.posterior.head.bias)
    model.scaling.shift.copy_(torch.tensor([1.0, -2.0, 0.0, 3.0, 5.0]))
    model.scaling.scale.copy_(torch.tensor([2.0, 1.0, 0.5, 1.0, 3.0]))
    scale = model.scaling.scale
    covariance = layer.weight @ layer.weight.T + NOISE**2 * torch.eye(D)
    covariance = (covariance * torch.outer(scale, scale)).detach()
    mean = (layer.bias * scale + model.scaling.shift).detach()
    x = MultivariateNormal(mean, covariance).sample((12,))
    gaps = torch.rand(12, D) < 0.4
    return model, x, torch.where(gaps, torch.nan, x), mean, covariance


def conditional(row, mean, covariance):
    """Mean and covariance of the missing elements given the observed ones."""
    absent = row.isnan()
    there = ~absent
    gain = covariance[absent][:, there] @ torch.linalg.inv(covariance[there][:, there])
    rest = covariance[absent][:, absent] - gain @ covariance[there][:, absent]
    return mean[absent] + gain @ (row[there] - mean[there]), rest


def test_the_mean_is_that_of_the_conditional_gaussian(known):
    model, x, holed, mean, covariance = known
    filled = impute(model, holed, samples=40_000, chunk=4)
    there = ~holed.isnan()
    assert filled[there].equal(x[there])
    for row, answer in zip(holed, filled, strict=True):
        if row.isnan().any():
            expected, _ = conditional(row, mean, covariance)
            torch.testing.assert_close(answer[row.isnan()], expected, atol=0.15, rtol=0)


def test_samples_have_the_conditional_s_moments(known):
    model, _, holed, mean, covariance = known
    row = next(r for r in holed if 2 <= r.isnan().sum() <= 3)
    drawn = impute(model, row.expand(3000, D), samples=1000, mode="sample", chunk=200)
    expected, spread = conditional(row, mean, covariance)
    missing = drawn[:, row.isnan()]
    torch.testing.assert_close(missing.mean(0), expected, atol=0.15, rtol=0)
    torch.testing.assert_close(torch.cov(missing.T), spread, atol=0.35, rtol=0.1)


def test_the_likelihood_is_the_marginal_s_of_what_was_observed(known):
    model, _, holed, mean, covariance = known
    ours = model.log_likelihood(holed, samples=40_000, batch_size=4)
    for row, answer in zip(holed, ours, strict=True):
        there = ~row.isnan()
        truth = MultivariateNormal(mean[there], covariance[there][:, there]).log_prob(row[there])
        torch.testing.assert_close(answer, truth, atol=0.05, rtol=0)


def test_what_is_missing_gives_no_gradient_and_takes_no_part(float64):
    loc = torch.randn(2, 3, 4, requires_grad=True)
    scale = torch.rand(4) + 0.5
    x = torch.randn(3, 4)
    x[0, 1] = x[2, 3] = torch.nan
    observed = Observed(DiagonalNormal(loc, scale)).log_prob(x)
    each = torch.distributions.Normal(loc, scale).log_prob(x.nan_to_num())
    torch.testing.assert_close(observed, (each * ~x.isnan()).sum(-1))
    observed.sum().backward()
    assert loc.grad[:, 0, 1].eq(0).all()
    assert loc.grad.isfinite().all()
    whole = Observed(Bernoulli(torch.zeros(2, 3, 4))).log_prob(torch.ones(3, 4))
    torch.testing.assert_close(whole, torch.full((2, 3), 4 * np.log(0.5)))


def test_the_scaling_counts_what_is_there():
    x = np.array([[1.0, 5.0], [np.nan, 7.0], [3.0, np.nan], [5.0, 9.0]], np.float32)
    source = load(x, missing=True)
    assert source.spec.missing
    scaling = Scaling((2,), "column")
    scaling.fit(source)
    np.testing.assert_allclose(scaling.shift, np.nanmean(x, 0))
    np.testing.assert_allclose(scaling.scale, np.nanstd(x, 0))
    assert "2 values (25.0%) are missing and are read as gaps" in source.notes[0]


def test_a_trained_model_fills_gaps_better_than_the_mean():
    rng = np.random.default_rng(0)
    whole = (rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 6))).astype(np.float32)
    whole += 0.1 * rng.normal(size=whole.shape).astype(np.float32)
    gaps = rng.random(whole.shape) < 0.3
    holed = np.where(gaps, np.nan, whole)
    source = load(holed, missing=True)
    run = fit(source, "miwae-imputation", latent_dim=2, hidden=(32,), epochs=40, lr=5e-3, threads=1)
    filled = isthmus.impute(run.model, torch.as_tensor(holed), samples=200).numpy()
    error = np.square(filled - whole)[gaps].mean()
    by_mean = np.square(np.nanmean(holed, 0) - whole)[np.nonzero(gaps)].mean()
    assert error < 0.25 * by_mean


def test_what_cannot_be_is_refused(known):
    model, _, holed, _, _ = known
    with pytest.raises(OptionError, match="at least one importance sample"):
        impute(model, holed, samples=0)
    with pytest.raises(OptionError, match="cannot leave elements out"):
        ObservedLikelihood(OptimalGaussianLikelihood((3,)))
    spec = load(np.array([[1.0, np.nan]] * 4), missing=True).spec
    with pytest.raises(OptionError, match="miwae-imputation"):
        build_recipe("vae", spec)
    complete = build_recipe("vae", load(np.eye(4, 2, dtype=np.float32)).spec).model
    with pytest.raises(UnsupportedError, match="cannot read gaps"):
        impute(complete, torch.full((1, 2), torch.nan))


def test_what_is_impossible_to_the_model_is_refused_only_where_it_would_be_asked(known):
    model, _, holed, _, _ = known
    row = next(r for r in holed if r.isnan().any())
    far = torch.where(row.isnan(), row, torch.full_like(row, 1e200))
    for mode in ("mean", "sample"):
        with pytest.raises(DataError, match="impossible"):
            impute(model, torch.stack([row, far]), samples=5, mode=mode)
        whole = torch.stack([row, torch.full_like(row, 1e200)])
        filled = impute(model, whole, samples=5, mode=mode)
        assert filled[1].equal(whole[1])
        assert filled.isfinite().all()
