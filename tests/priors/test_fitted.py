"""Densities fitted after training, against scikit-learn, zuko and the sample they are fitted to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch.distributions import Normal

from isthmus.data import load
from isthmus.errors import OptionError
from isthmus.metrics import two_sample_auc
from isthmus.priors import (
    FittedFlow,
    FittedGaussian,
    FittedMixture,
    FittedModel,
    LatentModelPrior,
)
from isthmus.recipes import build_recipe

FITTED = {
    "gaussian": FittedGaussian,
    "mixture": FittedMixture,
    "flow": lambda shape, **o: FittedFlow(shape, steps=400, **o),
}


def moons(n: int) -> torch.Tensor:
    """Codes on two noisy half circles: nothing like a bell."""
    angle = torch.rand(n) * torch.pi
    upper = torch.rand(n) < 0.5
    x = torch.where(upper, angle.cos(), 1.0 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack([4.0 * x, y - 3.0], 1) + 0.08 * torch.randn(n, 2)


def two_groups(n: int) -> torch.Tensor:
    """Codes in two correlated groups, as an encoder of two classes would give."""
    group = 2.0 * (torch.rand(n) < 0.5).float() - 1.0
    first = 2.0 * group + 0.5 * torch.randn(n)
    return torch.stack([first, 1.0 + 0.8 * first + 0.5 * torch.randn(n)], 1)


@pytest.mark.parametrize("make", FITTED.values(), ids=FITTED)
def test_it_is_the_standard_normal_until_it_is_fitted(make, float64):
    z = torch.randn(2, 4, 3)
    p = make((3,))()
    torch.testing.assert_close(p.log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))
    assert not any(q.requires_grad for q in make((3,)).parameters())


def test_the_mixture_is_scikit_learn_s(float64):
    codes = moons(800)
    prior = FittedMixture((2,), components=6)
    torch.manual_seed(5)
    prior.fit(codes)
    torch.manual_seed(5)
    theirs = GaussianMixture(
        6,
        reg_covar=1e-6 * codes.numpy().var(0).mean(),
        max_iter=300,
        random_state=int(torch.randint(2**31 - 1, ())),
    ).fit(codes.numpy())
    z = torch.randn(3, 5, 2) * 2
    expected = theirs.score_samples(z.flatten(0, 1).numpy()).reshape(3, 5)
    np.testing.assert_allclose(prior().log_prob(z).numpy(), expected, rtol=1e-8)
    drawn = prior().sample((40_000,))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), codes.T.cov(), atol=0.15, rtol=0)


def test_fewer_codes_than_components():
    prior = FittedMixture((2,), components=8)
    codes = torch.tensor([[0.0, 0.0], [5.0, 5.0], [0.0, 9.0]])
    prior.fit(codes)
    drawn = prior().sample((200,))
    assert torch.cdist(drawn, codes).amin(1).max() < 0.1
    assert prior().log_prob(codes).isfinite().all()


def test_the_flow_s_density_counts_its_units(float64):
    prior = FittedFlow((2,), steps=30)
    codes = moons(300)
    prior.fit(codes)
    units = prior.units
    z = codes[:6].view(2, 3, 2)
    inner = prior.flow().log_prob((z - units.shift) / units.scale)
    torch.testing.assert_close(prior().log_prob(z), inner - units.scale.log().sum())
    torch.testing.assert_close(units.shift, codes.mean(0))
    torch.testing.assert_close(units.scale, codes.std(0, correction=0))


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_it_finds_what_a_gaussian_misses(name):
    codes, held_out = moons(2000), moons(1000)
    plain, better = FittedGaussian((2,)), FITTED[name]((2,))
    gains, told = [], []
    for prior in (plain, better):
        prior.fit(codes)
        gains.append(prior().log_prob(held_out).mean().item())
        told.append(two_sample_auc(held_out, prior().sample((1000,)), seed=0).value)
    # The Gaussian's entropy is far above that of two thin arcs.
    assert gains[1] > gains[0] + 0.5
    assert told[1] < told[0] - 0.15
    assert not any(p.requires_grad for p in better.parameters())


def test_an_idle_dimension_is_survived():
    codes = moons(500)
    codes[:, 1] = 4.0
    for make in FITTED.values():
        prior = make((2,)) if make is not FITTED["flow"] else FittedFlow((2,), steps=50)
        prior.fit(codes)
        assert (prior().sample((50,))[:, 1] - 4.0).abs().max() < 0.05


def test_a_second_model_brings_draws_to_the_aggregate_posterior():
    table = load(moons(600).numpy())
    prior = build_recipe(
        "two-stage-vae", table.spec, latent_dim=2, steps=800, inner_hidden=(48,)
    ).model.sampler
    codes, held_out = two_groups(3000), two_groups(1000)
    plain = torch.randn(1000, 2)
    prior.fit(codes)
    standard = (held_out - codes.mean(0)) / codes.std(0)
    drawn = prior().sample((1000,))
    before = two_sample_auc(standard, plain, seed=0).value
    after = two_sample_auc(held_out, drawn, seed=0).value
    assert after < before - 0.1
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.25, rtol=0)


def test_words_and_models_that_do_not_fit():
    for make in (FittedGaussian, FittedMixture, FittedFlow):
        with pytest.raises(OptionError, match="'mean' or 'sample'"):
            make((2,), fitted_to="median")
    for make in (FittedModel, LatentModelPrior):
        with pytest.raises(OptionError, match="recipe 'hierarchical-vae'"):
            make((2,))
    table = load(np.random.default_rng(0).normal(size=(50, 3)))
    other = build_recipe("vae", table.spec, latent_dim=2).model
    with pytest.raises(OptionError, match=r"\(3,\)"):
        LatentModelPrior((2,), other)
