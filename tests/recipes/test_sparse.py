"""Sparse recipes as wholes: the dictionary that is found, tied starts, directions, runs on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import isthmus
from isthmus.data import DataSpec, load
from isthmus.errors import OptionError, UnsupportedError
from isthmus.metrics import dead_share, explained_variance, l0, mean_max_cosine
from isthmus.recipes import build_recipe
from isthmus.recipes.sparse import directions
from isthmus.registry import RECIPES

SPARSE = [entry.name for entry in RECIPES if entry.about["family"] == "sparse codes"]
SIZE, WORDS, USED = 10, 20, 2


def superposition(rows):
    """Sums of few of more unit directions than there are dimensions, and those directions."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(WORDS, SIZE))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    on = rng.uniform(size=(rows, WORDS)) < USED / WORDS
    x = (on * rng.uniform(0.5, 1.5, size=on.shape)) @ truth
    return x.astype(np.float32), truth


@pytest.fixture(scope="module")
def trained():
    x, truth = superposition(6000)
    settings = {
        "epochs": 20,
        "batch_size": 64,
        "threads": 1,
        "patience": 0,
        "lr": 1e-2,
    }
    found = {}
    for name, options in {"topk-sae": {"k": USED}, "sparse-l1": {"weight": 1.0}}.items():
        run = isthmus.fit(load(x[:5000]), name, expansion=2, **options, **settings)
        codes = run.model.encode(torch.from_numpy(x[5000:]))
        rebuilt = run.model.decode(codes).numpy()
        found[name] = (run.model, codes, 1 - explained_variance(x[5000:], rebuilt))
    return truth, found


def test_topk_loses_less_than_l1_with_fewer_latents_and_finds_the_dictionary(trained):
    truth, found = trained
    (model, codes, lost), (_, more, lost_by_l1) = found["topk-sae"], found["sparse-l1"]
    assert l0(codes) < l0(more)
    assert lost < lost_by_l1
    assert dead_share(codes) < 0.01
    assert mean_max_cosine(directions(model), truth) > 0.9


def test_samples_are_as_sparse_as_codes(trained):
    _, found = trained
    model, codes, _ = found["topk-sae"]
    drawn = model.prior().sample((4000,))
    assert l0(drawn) == pytest.approx(l0(codes), rel=0.05)


def test_directions_are_what_a_latent_adds_in_the_datas_units(trained):
    _, found = trained
    model = found["topk-sae"][0]
    units = torch.eye(model.latent_shape[0])
    added = (model.decode(units) - model.decode(torch.zeros_like(units))).numpy()
    added /= np.linalg.norm(added, axis=1, keepdims=True)
    np.testing.assert_allclose(directions(model), added, atol=1e-4)


@pytest.mark.parametrize("name", SPARSE)
def test_the_width_follows_the_data_and_the_encoder_starts_at_the_transpose(name):
    spec = load(superposition(30)[0]).spec
    model = build_recipe(name, spec, expansion=3).model
    assert model.latent_shape == (3 * SIZE,)
    assert build_recipe(name, spec).model.latent_shape == (8 * SIZE,)
    assert build_recipe(name, spec, latent_dim=12).model.latent_shape == (12,)
    torch.testing.assert_close(model.posterior.linear.weight, model.decoder.directions)
    norms = model.decoder.directions.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    with pytest.raises(OptionError, match="at least 1"):
        build_recipe(name, spec, latent_dim=-1)


@pytest.mark.parametrize("name", SPARSE)
def test_a_likelihood_of_two_numbers_an_element_is_tied_by_its_mean(name):
    source = load(superposition(40)[0])
    built = build_recipe(name, source.spec, likelihood="gaussian-datum")
    model = built.model.train()
    encoder, decoder = model.posterior.linear, model.decoder
    torch.testing.assert_close(encoder.weight, decoder.directions[:, :SIZE])
    model.posterior.silent.fill_(5000)
    loss = built.objective(model.evidence(next(source.chunks(40)).x))
    loss.total.backward()
    assert loss.total.isfinite()
    added = decoder.weight[:, :SIZE].detach().numpy()
    added /= np.linalg.norm(added, axis=1, keepdims=True)
    np.testing.assert_allclose(directions(model), added, atol=1e-6)


@pytest.mark.parametrize("name", [*SPARSE, "rae-gp"])
def test_classes_have_no_mean_to_revive_or_smooth_by_and_are_refused_before_training(name):
    spec = DataSpec("table", (SIZE,), "category", 40, n_categories=3)
    with pytest.raises(OptionError, match="objective 'reconstruction'"):
        build_recipe(name, spec)


def test_a_common_width_of_zero_stays_refused_elsewhere():
    spec = load(superposition(30)[0]).spec
    with pytest.raises(OptionError, match="at least 1"):
        build_recipe("vae", spec, latent_dim=0)
    with pytest.raises(UnsupportedError, match="topk-sae"):
        directions(build_recipe("vae", spec).model)


@pytest.mark.parametrize("posterior", ["sparse-l1", "topk", "batch-topk", "jumprelu", "gated"])
@pytest.mark.parametrize("objective", ["sparse", "reconstruction"])
def test_sparse_codes_meet_other_networks(posterior, objective):
    source = load(superposition(40)[0])
    built = build_recipe(
        "custom", source.spec, posterior=posterior, objective=objective, hidden=(9,)
    )
    loss = built.objective(built.model.train().evidence(next(source.chunks(40)).x))
    loss.total.backward()
    assert loss.total.isfinite()
    with pytest.raises(OptionError, match="needs a density"):
        build_recipe("custom", source.spec, posterior=posterior, objective="elbo")
