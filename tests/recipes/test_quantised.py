"""Quantised codes on real digits: usage, and a run from training to sampling."""

import json
import math

import pytest
import torch

import isthmus
from isthmus.data import load
from isthmus.errors import OptionError
from isthmus.fitting import fit
from isthmus.metrics import code_perplexity, code_usage
from isthmus.objectives import Reconstruction
from isthmus.priors import AutoregressiveCodes, PixelCNNPrior
from isthmus.recipes import Axes, assemble, build_recipe
from isthmus.registry import pick
from isthmus.training import densities

AXES = Axes(latent_dim=8, hidden=(128,))
POSITIONS = 8


def built(source, posterior, prior=None):
    torch.manual_seed(0)
    prior = prior or pick("uniform-codes")
    return assemble(
        source.spec,
        AXES,
        Reconstruction(),
        posterior=posterior,
        prior=prior,
        preferred="gaussian",
        grid=(POSITIONS,),
    )


def trained(source, posterior, prior=None, **settings):
    made = built(source, posterior, prior)
    settings = {"epochs": 12, "batch_size": 64, "seed": 0, "threads": 1, **settings}
    return fit(source, made.model, objective=made.objective, **settings)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_codes_in_use_gradient_below_moving_average_and_finite_scalar(digits):
    plain = pick("vq", n_codes=256, ema=False, kmeans=False, revive=0.0)
    chosen = {"plain": plain, "ema": pick("vq", n_codes=256), "fsq": pick("fsq", levels=(8, 6, 5))}
    x = next(digits.chunks(2000)).x
    usage, filled = {}, {}
    for name, posterior in chosen.items():
        model = trained(digits, posterior).model
        indices, n_codes = model.encode(x, "argmax").reshape(-1, 1), model.posterior.n_codes
        usage[name] = code_usage(indices, n_codes)
        filled[name] = code_perplexity(indices, n_codes) / n_codes
    assert usage["plain"] < 0.5 < usage["ema"]
    assert usage["fsq"] > 0.98
    assert 2.0 * filled["plain"] < min(filled["ema"], filled["fsq"])


def test_a_run_logs_usage_fits_its_prior_and_samples_from_its_folder(digits, tmp_path):
    folder = tmp_path / "run"
    prior = pick("autoregressive-codes", width=32, steps=120)
    run = trained(digits, pick("vq", n_codes=32), prior, epochs=4, folder=folder)
    model = run.model
    records = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    read = [r for r in records if "validation/loss" in r]
    assert all(0 < r["validation/usage"] <= 1 <= r["validation/perplexity"] <= 32 for r in read)

    x = next(digits.chunks(400)).x
    codes = model.encode(x, "argmax")
    assert codes.shape == (400, POSITIONS)
    torch.testing.assert_close(model.decode(codes), model.reconstruct(x))
    nats = -float(model.prior().log_prob(codes).mean())
    assert nats < 0.9 * math.log(2) * model.posterior.code_bits

    stored = isthmus.load(folder)
    drawn = []
    for one in (model, stored):
        torch.manual_seed(1)
        drawn.append(one.sample(50))
    assert drawn[0].equal(drawn[1])
    # Draws of the fitted prior look more like digits than uniform ones do.
    uniform = model.decode(torch.randint(32, (50, POSITIONS)))
    near = [
        float(torch.cdist(d.flatten(1), x.flatten(1)).min(1).values.mean())
        for d in (drawn[0], uniform)
    ]
    assert near[0] < near[1]


@pytest.mark.parametrize(
    ("name", "options", "bits"),
    [
        ("vq-vae", {}, 8 * 9),
        ("vq-vae", {"positions": 3, "n_codes": 16}, 12),
        ("rvq-vae", {}, 8 * 4 * 8),
        ("fsq-vae", {"levels": (8, 5, 5, 5)}, 8 * math.log2(1000)),
        ("lfq-vae", {"bits": 7}, 56),
    ],
)
def test_the_options_set_the_bits_of_a_code(digits, name, options, bits):
    model = build_recipe(name, digits.spec, **options).model
    assert model.posterior.code_bits == pytest.approx(bits)
    prior = model.prior()
    uniform = prior.log_prob(torch.zeros(1, *model.posterior.code_shape, dtype=torch.long))
    assert -float(uniform) / math.log(2) == pytest.approx(bits, rel=1e-5)


RECIPES = ("vq-vae", "rvq-vae", "fsq-vae", "lfq-vae")


@pytest.fixture(scope="module", params=[(16, 16), (17, 22, 3)], ids=["even", "odd"])
def pictures(request):
    values = torch.rand(24, *request.param, generator=torch.Generator().manual_seed(0))
    return load(values.numpy())


@pytest.mark.parametrize("name", RECIPES)
def test_the_codes_of_images_lie_in_a_grid(pictures, name, tmp_path):
    torch.manual_seed(0)
    built = build_recipe(name, pictures.spec, latent_dim=3, hidden=(8,))
    model, x = built.model, next(pictures.chunks(24)).x
    model.scaling.fit(pictures)
    loss = built.objective(model.train().evidence(x, 1))
    loss.total.backward()
    assert {term.shape for term in loss.terms.values()} == {(24,)}
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    grid = tuple(-(-side // 4) for side in x.shape[2:])
    assert model.latent_shape == (3, *grid)
    codes = model.encode(x, "argmax")
    assert codes.shape[:3] == (24, *grid)
    assert not codes.is_floating_point()
    torch.testing.assert_close(model.decode(codes), model.reconstruct(x))
    assert isinstance(model.prior, PixelCNNPrior)
    isthmus.save(model, tmp_path)
    assert isthmus.load(tmp_path).encode(x, "argmax").equal(codes)


@pytest.mark.parametrize("name", RECIPES)
def test_a_code_is_that_of_its_own_patch_of_a_map(pictures, name):
    posterior = build_recipe(name, pictures.spec, latent_dim=3, hidden=(8,)).model.posterior
    h = torch.randn(4, 8, *posterior.latent_shape[1:])
    posterior.train()(h)
    before = posterior.eval()(h)
    moved = h.clone()
    moved[:, :, 1, 2] = 5.0 * torch.randn(4, 8)
    after = posterior(moved)
    elsewhere = torch.ones(h.shape[2:], dtype=torch.bool)
    elsewhere[1, 2] = False
    assert after.mode[:, elsewhere].equal(before.mode[:, elsewhere])
    assert not after.mode[:, 1, 2].equal(before.mode[:, 1, 2])
    assert after.mean[..., elsewhere].equal(before.mean[..., elsewhere])
    # The latent at a cell is what its integers stand for alone.
    one = after.mode[:, 1:2, 2:3].expand_as(after.mode)
    torch.testing.assert_close(posterior.embed(one)[..., 0, 0], after.mean[..., 1, 2])


def test_flat_codes_of_images_are_a_choice(pictures):
    flat = build_recipe("vq-vae", pictures.spec, positions=5).model
    assert flat.posterior.code_shape == (5,)
    assert build_recipe("vq-vae", pictures.spec, network="mlp").model.posterior.code_shape == (8,)
    finer = build_recipe("vq-vae", pictures.spec, downsample=2).model
    assert finer.posterior.code_shape == tuple(-(-s // 2) for s in pictures.spec.shape[1:])
    with pytest.raises(OptionError, match="downsample"):
        build_recipe("vq-vae", pictures.spec, positions=5, network="map")


def test_a_spatial_gaussian_has_a_mean_and_a_scale_in_every_cell(pictures):
    torch.manual_seed(0)
    model = build_recipe("vae", pictures.spec, latent_dim=3, hidden=(8,), network="map").model
    x = next(pictures.chunks(24)).x
    model.scaling.fit(pictures)
    q = model.eval().infer(model.scaling(x))
    h = model.encoder(model.scaling(x))
    moments = torch.einsum("oc,bchw->bohw", model.posterior.head.weight[:, :, 0, 0], h)
    moments = moments + model.posterior.head.bias[:, None, None]
    mean, log_variance = moments.chunk(2, 1)
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.variance, log_variance.exp(), rtol=1e-4, atol=1e-6)
    assert model.encode(x, "argmax").shape == (24, *model.latent_shape)
    assert model.log_likelihood(x, samples=2).shape == (24,)
    assert model.sample(2).shape == (2, *x.shape[1:])


def test_the_codes_that_a_prior_is_fitted_to_are_capped_by_their_numbers(digits, monkeypatch):
    model = built(digits, pick("vq", n_codes=16), pick("autoregressive-codes", width=8)).model
    seen = []
    monkeypatch.setattr(AutoregressiveCodes, "fit", lambda self, codes: seen.append(codes))
    densities.fit_to_codes(model.prior, model, digits, 0)
    monkeypatch.setattr(densities, "FITTED_NUMBERS", 100 * POSITIONS + 1)
    densities.fit_to_codes(model.prior, model, digits, 0)
    assert [len(codes) for codes in seen] == [len(digits), 100]
    # Not the first hundred, but some from all over.
    first = model.encode(next(digits.chunks(100)).x, "argmax")
    assert not seen[1].equal(first)


def test_entropy_weighs_against_the_mean_squared_error_of_an_element(digits, pictures):
    flat = build_recipe("lfq-vae", digits.spec, entropy=0.2).model.posterior
    assert flat.entropy == pytest.approx(0.2 * 64 / 2 / 8)
    grid = build_recipe("lfq-vae", pictures.spec, entropy=0.2).model
    cells = math.prod(grid.posterior.code_shape)
    assert grid.posterior.entropy == pytest.approx(0.2 * pictures.spec.size / 2 / cells)
