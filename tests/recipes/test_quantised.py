"""Quantised codes on real digits: usage, and a run from training to sampling."""

import json
import math

import pytest
import torch

import isthmus
from isthmus.data import load
from isthmus.fitting import fit
from isthmus.metrics import code_perplexity, code_usage
from isthmus.objectives import Reconstruction
from isthmus.recipes import Axes, assemble, build_recipe
from isthmus.registry import pick

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


def test_codes_in_use_gradient_below_moving_average_below_finite_scalar(digits):
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
    assert usage["ema"] <= usage["fsq"] + 0.01
    assert usage["fsq"] > 0.98
    assert 2.0 * filled["plain"] < filled["ema"] < filled["fsq"]


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
