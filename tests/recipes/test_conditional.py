"""Conditional recipes against worlds whose truth is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.errors import DataError, OptionError
from isthmus.fitting import Run, fit
from isthmus.priors import PRIORS
from isthmus.recipes import build_recipe

A = torch.tensor([2.0, -1.0, 0.5, 1.5])
B = torch.tensor([[3.0, 0.0, -2.0, 1.0], [0.0, -3.0, 1.0, 0.0], [-2.0, 1.0, 2.0, -3.0]])
NOISE = 0.3


def world(n):
    """x = a z + b_label + noise, the code z independent of the label."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, 1, generator=generator)
    label = torch.randint(3, (n,), generator=generator)
    noise = NOISE * torch.randn(n, 4, generator=generator)
    return z * A + B[label] + noise, label


@pytest.fixture(scope="module")
def trained():
    x, label = world(3000)
    source = load(x, labels=label.numpy(), condition="label")
    run = fit(source, "cvae", latent_dim=1, hidden=(32,), epochs=40, lr=1e-2, threads=1)
    return run, x, source.condition, label


def test_a_datum_under_another_condition_is_what_the_world_would_have_made(trained):
    run, x, condition, label = trained
    z = run.model.encode(x, condition=condition)
    other = (label + 1) % 3
    rebuilt = run.model.decode(z, condition=torch.eye(3)[other])
    truth = x - B[label] + B[other]
    error = (rebuilt - truth).square().mean().sqrt()
    assert error < 1.2 * NOISE
    assert (run.model.decode(z, condition=condition) - x).square().mean().sqrt() < NOISE


def test_samples_follow_the_condition(trained):
    model = trained[0].model
    for k in range(3):
        drawn = model.sample(4000, "sample", condition=torch.eye(3)[k])
        torch.testing.assert_close(drawn.mean(0), B[k], atol=0.25, rtol=0)
        covariance = torch.outer(A, A) + NOISE**2 * torch.eye(4)
        torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.4, rtol=0.1)


def test_the_likelihood_is_the_world_s(trained):
    run, x, condition, label = trained
    covariance = torch.outer(A, A) + NOISE**2 * torch.eye(4)
    truth = torch.distributions.MultivariateNormal(B[label], covariance).log_prob(x)[:500]
    ours = run.model.log_likelihood(x[:500], samples=200, condition=condition[:500])
    assert (truth.mean() - ours.mean()).abs() < 0.1


def test_a_missing_or_misshapen_condition_is_refused(trained):
    run, x, condition, _ = trained
    model = run.model
    with pytest.raises(DataError, match="encoder is conditioned on 3 numbers"):
        model.encode(x)
    with pytest.raises(DataError, match="decoder is conditioned on 3 numbers"):
        model.sample(4)
    with pytest.raises(DataError, match=r"reads \(N, 3\)"):
        model.encode(x, condition=condition[:, :2])
    with pytest.raises(DataError, match="one row for each"):
        model.encode(x, condition=condition[:7])
    with pytest.raises(OptionError, match="load them with condition='label'"):
        build_recipe("cvae", load(np.zeros((9, 2), np.float32)).spec)


def test_other_recipes_leave_the_condition_alone_and_say_so():
    x, label = world(30)
    source = load(x, labels=label.numpy(), condition="label")
    built = build_recipe("vae", source.spec)
    assert any("does not read the data's condition" in note for note in built.notes)
    batch = next(source.chunks(30))
    torch.manual_seed(1)
    told = built.model.evidence(batch.x, condition=batch.condition).distortion
    torch.manual_seed(1)
    assert told.equal(built.model.evidence(batch.x).distortion)


def _benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "ivae.py"
    found = importlib.util.spec_from_file_location("ivae_benchmark", path)
    benchmark = importlib.util.module_from_spec(found)
    found.loader.exec_module(benchmark)
    return benchmark


def test_ivae_recovers_the_sources_of_segments_and_others_less_well():
    benchmark = _benchmark()
    data = benchmark.segments(2, 20, 300, 2, seed=0)
    scores = {
        name: benchmark.score(*data, name, epochs=20, batch_size=64)
        for name in ("ivae", "vae", "FastICA")
    }
    assert scores["ivae"] > 0.95
    assert scores["ivae"] > max(scores["vae"], scores["FastICA"])


@pytest.mark.parametrize("mixing", ["tanh", "leaky"])
def test_the_published_mixings_are_white_and_their_layers_one_matrix(mixing):
    benchmark = _benchmark()
    s, x, label = benchmark.segments(3, 4, 500, 3, seed=0, spread=1.0, mixing=mixing)
    assert s.shape == x.shape == (2000, 3)
    assert np.bincount(label).tolist() == [500] * 4
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=1e-4)
    linear = benchmark.segments(3, 4, 500, 1, seed=0, spread=1.0, mixing=mixing)[1]
    # One layer is linear: the whitened sources up to a rotation.
    fit, *_ = np.linalg.lstsq(s - s.mean(0), linear, rcond=None)
    np.testing.assert_allclose((s - s.mean(0)) @ fit, linear, atol=1e-4)


def test_the_price_of_ivae_falls_by_equal_ratios_from_its_start():
    x, label = world(30)
    spec = load(x, labels=label.numpy(), condition="label").spec
    price = build_recipe("ivae", spec, kl_start=9.0).objective.beta
    told = [float(price(torch.tensor(at))) for at in (0.0, 0.3, 0.6, 1.0)]
    np.testing.assert_allclose(told, [9.0, 3.0, 1.0, 1.0], rtol=1e-5)
    assert price.final_value == 1.0
    for wrong in ({"kl_start": 0.5}, {"kl_start": 4.0, "kl_warmup": 0.1}):
        with pytest.raises(OptionError, match="either falls from"):
            build_recipe("ivae", spec, **wrong)


@pytest.mark.parametrize("prior", [entry.name for entry in PRIORS])
def test_every_prior_meets_a_condition_or_is_refused(prior, tmp_path):
    x, label = world(60)
    source = load(x, labels=label.numpy(), condition="label")
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 1, "threads": 1, "prior": prior}
    try:
        run = fit(source, "cvae", folder=tmp_path / "run", **options)
    except OptionError:
        assert not (tmp_path / "run").exists()
        return
    assert run.model.sample(5, condition=torch.eye(3)[1]).isfinite().all()
    said = []
    for model in (run.model, Run.read(tmp_path / "run").model):
        torch.manual_seed(0)
        said.append(model.log_likelihood(x[:4], 5, condition=source.condition[:4]))
    assert said[0].equal(said[1])
