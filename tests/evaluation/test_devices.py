"""Measures of a run whose model lies elsewhere, against those of the same run on the CPU.

The device is that of `tests/elsewhere.py`.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch

from isthmus.annealing import Annealing, annealed_log_likelihood, bdmc
from isthmus.data import Resident, load
from isthmus.errors import OptionError
from isthmus.evaluation import compare, evaluate, rate_distortion
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.gaps import inference_gaps
from isthmus.evaluation.measures import likelihood
from isthmus.fitting import fit
from isthmus.priors.descent import Descent
from isthmus.registry import RECIPES

ROWS = 60
FEW = Annealing(chains=2, steps=3, leapfrogs=1)
QUICK = {"latent_dim": 3, "hidden": (8,), "epochs": 1, "batch_size": 16, "threads": 1}


def pictures(levels=255):
    """Grey squares of known places, in whole levels, with a label."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (ROWS, 2))
    x = rng.integers(0, levels // 2, (ROWS, 8, 8))
    x[:, :3, :3] += (levels // 5) * factors[:, :1, None]
    x[:, 4:, 4:] += (levels // 5) * factors[:, 1:, None]
    plain = load(x.astype(np.uint8), labels=np.array(list("ab") * (ROWS // 2)))
    spec = replace(plain.spec, factors=(("up", 3), ("down", 3)))
    return Resident(plain.x, spec, labels=plain.labels, factors=torch.from_numpy(factors))


def rows(recipe):
    labels = np.array(list("ab") * (ROWS // 2))
    told = {"condition": labels} if RECIPES[recipe].about["condition"] else {}
    return load(np.random.default_rng(0).normal(size=(ROWS, 5)), labels=labels, **told)


def moved(run, place):
    return replace(run, model=deepcopy(run.model).to(place))


def same(there, here):
    assert there.why_missing == here.why_missing
    assert there.values.keys() == here.values.keys()
    for key, found in here.values.items():
        # Seconds are the run's own, not those of the asking.
        np.testing.assert_allclose(
            there.values[key], found, rtol=1e-3, atol=1e-4, equal_nan=True, err_msg=key
        )


@pytest.mark.parametrize("recipe", ["vae", "svae", "poincare-vae", "vq-vae", "cvae"])
def test_every_measure_says_what_it_says_on_the_cpu(recipe, away):
    options = QUICK if recipe != "vq-vae" else {**QUICK, "n_codes": 8, "latent_dim": 4}
    source = pictures() if recipe == "vae" else rows(recipe)
    # A prior of codes is dear to fit, and asked no less where it is as it began.
    with patch.object(Descent, "minimise"):
        run = fit(source, recipe, device="cpu", **options)
    short = patch.multiple(
        likelihood,
        HOW=FEW,
        ANNEALED_ROWS=4,
        inference_gaps=partial(inference_gaps, steps=2, samples=4),
    )
    measure = partial(evaluate, source=source, measures=["all"], samples=4)
    with short:
        here = measure(run)
        with away.elsewhere(lambda what: None) as place:
            there = measure(moved(run, place))
    same(there, here)
    assert len(here.values) > 15


def test_data_that_lie_there_are_measured_too(away):
    """As they are, and spread over the cells of their levels."""
    source = pictures()
    run = fit(source, "vae", device="cpu", **QUICK)
    asked = {"measures": ["reconstruction", "likelihood", "probe"], "samples": 4}
    for dequantise in (False, True):
        here = evaluate(run, source, dequantise=dequantise, **asked)
        with away.elsewhere(lambda what: None) as place:
            there = evaluate(moved(run, place), source.to(place), dequantise=dequantise, **asked)
        same(there, here)


@pytest.mark.parametrize("recipe", ["vae", "cvae"])
@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_chains_run_where_the_model_lies(recipe, start, away):
    source = rows(recipe)
    model = fit(source, recipe, device="cpu", **QUICK).model
    batch, how = next(source.chunks(4)), replace(FEW, start=start)

    def ask(place):
        there, part = deepcopy(model).to(place), batch.to(place)
        given = {"condition": part.condition}
        return (
            annealed_log_likelihood(there, part.x, how, **given),
            bdmc(there, 4, how, **given),
            inference_gaps(there, part.x, steps=2, samples=4, annealing=how, **given),
        )

    away.asked_in_both(ask, 1e-4)


def test_answers_by_chance_leave_the_other_devices_chance_alone():
    """The seeds of an answer are of the CPU and the model's device: no other GPU is seeded."""
    source = rows("vae")
    candidate = learned(fit(source, "vae", device="cpu", **QUICK), 2)
    x = source.x.numpy()
    before = torch.get_rng_state()
    with patch("torch.cuda.manual_seed_all", side_effect=AssertionError("seeds every GPU")):
        first = candidate.draw(3, 5, None)
        candidate.density.importance(x, None)
        candidate.density.distortion(x, None)
    assert torch.get_rng_state().equal(before)
    np.testing.assert_array_equal(first, candidate.draw(3, 5, None))


@pytest.mark.parametrize("measure", [compare, partial(rate_distortion, betas=[1.0])])
def test_a_device_that_is_not_there_is_said_before_anything_is_trained(measure, tmp_path):
    heard = []
    with pytest.raises(OptionError, match="device='cuda:99' is not to be had here"):
        measure(rows("vae"), device="cuda:99", folder=tmp_path / "out", say=heard.append)
    assert not heard
    assert not (tmp_path / "out").exists()
