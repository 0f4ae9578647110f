"""A density fitted after training: drawn from by `sample`, stored with the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

import isthmus
from isthmus.data import load
from isthmus.densities import drop_density, fit_density, held_out_density
from isthmus.errors import OptionError, RunError
from isthmus.fitting import Run, fit
from isthmus.metrics import two_sample_auc
from isthmus.priors import FittedFlow
from isthmus.store import read_config
from isthmus.training import Listener

OPTIONS = {"latent_dim": 2, "hidden": (16,), "epochs": 15, "threads": 1, "batch_size": 64}
SMALL = {**OPTIONS, "inner_hidden": (8,)}


@pytest.fixture(scope="module")
def groups():
    """Three groups in the plane, in five columns."""
    rng = np.random.default_rng(0)
    centres = np.array([[6.0, 0.0], [-6.0, 1.0], [0.0, 8.0]])
    plane = centres[rng.integers(3, size=900)] + 0.4 * rng.normal(size=(900, 2))
    return load(plane @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(900, 5)))


def test_sample_draws_from_the_density_and_the_run_keeps_it(groups, tmp_path):
    run = fit(groups, "ae", folder=tmp_path / "run", **OPTIONS)
    before = run.model
    x = next(groups.chunks(2000)).x
    model = fit_density(run, groups, components=3, seed=1)
    assert run.model is model
    codes = model.encode(x)
    assert codes.equal(before.encode(x))
    told = [
        two_sample_auc(codes, p.sample((900,)), seed=0).value
        for p in (before.prior(), model.sampler())
    ]
    # The Gaussian bridges the groups.
    assert told[1] < told[0] - 0.1
    torch.manual_seed(0)
    drawn_here = model.sample(40)
    torch.manual_seed(0)
    assert drawn_here.equal(model.decode(model.sampler().sample((40,))))
    training = next(run.split.of(groups)[0].chunks(2000)).x
    codes = model.encode(training).double().numpy()
    theirs = GaussianMixture(3, random_state=0).fit(codes)
    ours = model.sampler().log_prob(torch.from_numpy(codes).float()).mean().item()
    assert ours == pytest.approx(theirs.score(codes), abs=0.05)

    read = Run.read(tmp_path / "run")
    drawn = []
    for one in (model, read.model, isthmus.load(tmp_path / "run")):
        torch.manual_seed(3)
        drawn.append(one.sample(50))
    assert drawn[0].equal(drawn[1])
    assert drawn[0].equal(drawn[2])
    assert (read.recipe, read.settings) == (run.recipe, run.settings)


def test_means_or_samples_by_choice(groups):
    run = fit(groups, "vae", **OPTIONS)
    x = next(run.split.of(groups)[0].chunks(2000)).x
    q = run.model.infer(run.model.scaling(x))
    spread = {}
    for codes in ("mean", "sample"):
        model = fit_density(run, groups, "fitted-gaussian", codes=codes)
        spread[codes] = model.sampler().variance
    torch.testing.assert_close(spread["mean"], q.mean.var(0), atol=1e-4, rtol=1e-3)
    expected = q.mean.var(0) + q.variance.mean(0)
    torch.testing.assert_close(spread["sample"], expected, atol=0.01, rtol=0.1)
    # log p(x) stays the model's own.
    x = x[:5]
    torch.manual_seed(0)
    with_sampler = run.model.log_likelihood(x, samples=10)
    torch.manual_seed(0)
    bare = fit(groups, "vae", **OPTIONS).model
    torch.manual_seed(0)
    assert with_sampler.equal(bare.log_likelihood(x, samples=10))


def test_a_density_of_your_own_options(groups):
    run = fit(groups, "ae", **{**OPTIONS, "epochs": 2})
    model = fit_density(run, groups, FittedFlow((2,), "affine", steps=20))
    assert isinstance(model.sampler, FittedFlow)
    assert model.sample(4).isfinite().all()
    with pytest.raises(OptionError, match="fitted-flow"):
        fit_density(run, groups, "vamp")
    with pytest.raises(OptionError, match="component"):
        fit_density(run, groups, "fitted-mixture", component=3)


def test_a_second_stage_is_fitted_by_the_loop_and_stored(groups, tmp_path):
    run = fit(
        groups, "two-stage-vae", folder=tmp_path / "run", steps=30, inner_hidden=(8,), **OPTIONS
    )
    assert run.model.sampler.units.scale.sub(1.0).abs().min() > 1e-3
    read = isthmus.load(tmp_path / "run")
    torch.manual_seed(1)
    ours = run.model.sample(5)
    torch.manual_seed(1)
    assert read.sample(5).equal(ours)


def test_what_the_held_out_codes_have_of_either(groups):
    run = fit(groups, "vae", **{**OPTIONS, "epochs": 2})
    with pytest.raises(OptionError, match="no density beside its prior"):
        held_out_density(run, groups)
    model = fit_density(run, groups, codes="mean")
    found = held_out_density(run, groups)
    z = model.encode(next(run.split.of(groups)[2].chunks(2000)).x)
    assert found.density == pytest.approx(model.sampler().log_prob(z).mean().item(), abs=1e-4)
    assert found.prior == pytest.approx(model.prior().log_prob(z).mean().item(), abs=1e-4)
    assert (found.codes, found.mode) == (len(z), "mean")
    assert found.density > found.prior
    assert drop_density(run).sampler is None


def test_held_out_codes_that_are_drawn_follow_the_seed_alone(groups):
    run = fit(groups, "vae", **{**OPTIONS, "epochs": 2})
    model = fit_density(run, groups, "fitted-gaussian", codes="sample")
    held_out = next(run.split.of(groups)[2].chunks(2000)).x
    torch.manual_seed(4)
    z = model.encode(held_out, "sample")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    found = held_out_density(run, groups, seed=4)
    assert torch.get_rng_state().equal(before)
    assert found.density == pytest.approx(model.sampler().log_prob(z).mean().item(), abs=1e-4)
    assert found.prior == pytest.approx(model.prior().log_prob(z).mean().item(), abs=1e-4)
    assert held_out_density(run, groups, seed=5).density != found.density


def test_a_resumed_run_keeps_what_was_fitted_to_it(groups, tmp_path):
    options = {**OPTIONS, "epochs": 2, "folder": tmp_path / "run"}
    run = fit(groups, "vae", **options)
    fit_density(run, groups, components=2)
    fit_density(run, groups, "fitted-gaussian")
    again = fit(groups, "vae", resume=True, **options)
    x = next(groups.chunks(50)).x
    assert again.model.encode(x).equal(run.model.encode(x))
    torch.manual_seed(0)
    ours = run.model.sample(4)
    torch.manual_seed(0)
    assert again.model.sample(4).equal(ours)
    with pytest.raises(RunError, match="other settings"):
        fit(groups, "vae", resume=True, **{**options, "lr": 0.1})
    drop_density(again)
    assert "density" not in read_config(tmp_path / "run")
    bare = fit(groups, "vae", resume=True, **options).model
    assert bare.sampler is None
    assert bare.encode(x).equal(run.model.encode(x))


def test_a_run_that_is_not_finished_gets_none(groups, tmp_path):
    class Stop(Listener):
        def hear(self, record):
            raise KeyboardInterrupt

        def close(self):
            pass

    options = {**OPTIONS, "folder": tmp_path / "run", "log_every": 2}
    with pytest.raises(KeyboardInterrupt):
        fit(groups, "vae", listeners=[Stop()], **options)
    with pytest.raises(RunError, match="not finished: resume it"):
        fit_density(Run.read(tmp_path / "run"), groups)


def test_a_prior_that_reads_the_condition_is_not_replaced():
    rng = np.random.default_rng(0)
    source = load(rng.normal(size=(40, 3)), labels=["a", "b"] * 20, condition="label")
    run = fit(source, "ivae", **{**OPTIONS, "epochs": 1})
    with pytest.raises(OptionError, match="would forget"):
        fit_density(run, source)


def test_integers_get_a_density_of_their_own(groups):
    run = fit(groups, "vq-vae", positions=2, n_codes=8, **{**OPTIONS, "epochs": 1})
    fit_density(run, groups, "autoregressive-codes", steps=5, width=8)
    found = held_out_density(run, groups)
    assert found.mode == "argmax"
    assert found.density <= 0.0
    with pytest.raises(OptionError, match="one axis"):
        fit_density(run, groups, "fitted-gaussian")
