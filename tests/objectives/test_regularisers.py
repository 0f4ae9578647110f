"""Objectives that hold codes to the prior as a cloud: DIP, InfoVAE, WAE, SWAE, capacity."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from isthmus.data import DataSpec
from isthmus.distances import random_directions, squared_mmd, squared_sliced_wasserstein
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.objectives import (
    Annealed,
    DipVae,
    Elbo,
    InfoVae,
    Swae,
    WaeMmd,
    WarmUp,
    dip_vae_ii,
)
from isthmus.objectives.draws import prior_draws
from isthmus.posteriors import Deterministic
from isthmus.recipes import build_recipe

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def evidence(build):
    torch.manual_seed(4)
    return build().evidence(torch.randn(9, 5), samples=2)


@pytest.mark.parametrize("aggregate", [False, True])
def test_dip_penalises_the_covariance_over_the_batch(evidence, aggregate):
    mean, scale = evidence.q.mean.detach().numpy(), evidence.q.stddev.detach().numpy()
    covariance = np.cov(mean, rowvar=False, bias=True)
    if aggregate:
        covariance += np.diag((scale**2).mean(0))
    off = 2 * covariance[0, 1] ** 2
    on = (covariance[0, 0] - 1) ** 2 + (covariance[1, 1] - 1) ** 2
    make = dip_vae_ii if aggregate else DipVae
    loss = make(7.0, 3.0)(evidence)
    assert loss.terms["covariances"][0].item() == pytest.approx(off, rel=1e-9)
    assert loss.terms["variances"][0].item() == pytest.approx(on, rel=1e-9)
    torch.testing.assert_close(loss.total, Elbo()(evidence).total + 7.0 * off + 3.0 * on)


def test_dip_ii_sees_the_covariance_of_the_aggregate_posterior(evidence):
    z = evidence.q.sample((200_000,))
    covariance = np.cov(z.flatten(0, 1).numpy(), rowvar=False, bias=True)
    found = dip_vae_ii()(evidence).terms
    assert found["covariances"][0].item() == pytest.approx(2 * covariance[0, 1] ** 2, rel=0.02)
    on = ((covariance.diagonal() - 1) ** 2).sum()
    assert found["variances"][0].item() == pytest.approx(on, rel=0.02)


def test_info_vae_at_its_end_is_the_elbo_and_weighs_the_discrepancy(evidence):
    torch.testing.assert_close(InfoVae(0.0, 1.0)(evidence).total, Elbo()(evidence).total)
    torch.manual_seed(1)
    loss = InfoVae(0.3, 8.0)(evidence)
    torch.manual_seed(1)
    mmd = squared_mmd(evidence.z, torch.randn(2, 9, 2)).mean()
    expected = evidence.distortion.mean() + 0.7 * evidence.rate.mean() + 7.3 * mmd
    torch.testing.assert_close(loss.total, expected)


def test_wae_and_swae_add_their_distance_to_the_distortion(build):
    evidence = build(Deterministic).evidence(torch.randn(9, 5))
    torch.manual_seed(1)
    wae = WaeMmd(4.0)(evidence).total
    torch.manual_seed(1)
    drawn = torch.randn(1, 9, 2)
    mmd = squared_mmd(evidence.z, drawn)[0]
    torch.testing.assert_close(wae, evidence.distortion.mean() + 4.0 * mmd)
    torch.manual_seed(1)
    swae = Swae(4.0, projections=7)(evidence).total
    torch.manual_seed(1)
    drawn, directions = torch.randn(1, 9, 2), random_directions(7, drawn)
    distance = squared_sliced_wasserstein(evidence.z, drawn, directions)[0]
    torch.testing.assert_close(swae, evidence.distortion.mean() + 4.0 * distance)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_codes_that_follow_the_prior_pay_nothing_on_average_in_a_batch_of_any_size(linear, batch):
    """The last batch of held-out data may hold a single datum, which has no company to compare."""
    standard = DiagonalNormal(torch.zeros(batch, 2), torch.ones(batch, 2))
    torch.manual_seed(0)
    evidence = linear(standard, 20_000, torch.zeros(4, 2), torch.zeros(4))
    paid = WaeMmd(1.0)(evidence).terms["mmd"]
    assert paid.shape == (batch,)
    # Seven kernels, each between 0 and 1: an average of 20,000 batches is within .06 of its mean.
    torch.testing.assert_close(paid.mean(), torch.zeros(()), atol=0.06, rtol=0)


def test_the_prior_s_draws_have_a_row_for_each_code_whatever_its_batch(evidence):
    assert prior_draws(evidence).shape == evidence.z.shape
    loc = torch.arange(9.0)[:, None].expand(9, 2)
    given = DiagonalNormal(loc, torch.tensor(1e-6))
    drawn = prior_draws(replace(evidence, p=given))
    torch.testing.assert_close(drawn, loc.expand(2, 9, 2), atol=1e-4, rtol=0)


def test_annealing_pays_for_every_nat_beside_the_capacity(evidence):
    objective = Annealed(WarmUp(6.0, share=0.5), gamma=30.0)
    objective.progress.fill_(0.25)
    rate = evidence.rate.mean()
    for mode, capacity in (("train", 3.0), ("eval", 6.0)):
        loss = getattr(objective, mode)()(evidence)
        expected = evidence.distortion.mean() + 30.0 * (rate - capacity).abs()
        torch.testing.assert_close(loss.total, expected)
        torch.testing.assert_close(loss.terms["rate"], evidence.rate)


@pytest.mark.parametrize("objective", [DipVae(), InfoVae(), WaeMmd(), Swae()])
def test_codes_of_another_space_are_refused(build, objective):
    model = build()
    model.posterior.space = "codes"
    with pytest.raises(OptionError, match="use the posterior"):
        objective.check(model.posterior, model.prior, model.likelihood)


def test_ms_ssim_takes_images_alone():
    with pytest.raises(OptionError, match=r"compares images.*'elbo'"):
        build_recipe("ms-ssim-vae", DataSpec("table", (6,), "real", 100))
