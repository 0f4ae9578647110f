"""The figures of one run, measured by name."""

import json

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.errors import UnknownNameError, UnsupportedError
from isthmus.evaluation import MEASURES, evaluate
from isthmus.evaluation.evaluate import names_of
from isthmus.evaluation.measures.base import MINUTES
from isthmus.fitting import fit
from isthmus.metrics import mean_and_error, r2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    return fit(load("digits"), "vae", latent_dim=4, epochs=2, threads=1, folder=folder)


def test_figures_are_those_of_the_test_part(run):
    source = load("digits")
    found = evaluate(run, source, measures=["reconstruction", "likelihood"], samples=50)
    test = run.split.of(source)[2]
    x = torch.cat([batch.x for batch in test.chunks(1000)])
    assert found.values["r2"].value == pytest.approx(
        r2(x.numpy(), run.model.reconstruct(x).numpy()), abs=1e-6
    )
    torch.manual_seed(0)
    nll = -run.model.log_likelihood(x, 50).double().numpy()
    assert found.values["nll"].value == pytest.approx(nll.mean(), abs=0.2)
    assert found.values["nll"].error == pytest.approx(mean_and_error(nll).error, rel=0.05)


def test_each_measure_is_asked_by_name_and_only_then(run):
    heard = []
    found = evaluate(run, load("digits"), measures=["active", "cost"], say=heard.append)
    assert heard == ["active", "cost"]
    assert found.values.keys() == {"active", "seconds", "parameters", "bytes"}
    with pytest.raises(UnknownNameError, match="Did you mean 'active'"):
        evaluate(run, load("digits"), measures=["activ"])


def test_what_takes_minutes_is_taken_only_when_asked_for():
    costs = {e.name: e.about["cost"] for e in MEASURES if e.about["columns"]}
    assert {costs[name] for name in names_of(None)} <= {"instant", "seconds"}
    assert set(names_of(["all"])) == set(costs)
    assert [n for n in costs if costs[n] != MINUTES] == names_of(None)


def test_figures_are_written_beside_those_of_the_training_and_of_earlier_measures(run):
    source = load("digits")
    evaluate(run, source, measures=["active"]).write(run.folder)
    evaluate(run, source, measures=["cost"]).write(run.folder)
    stored = json.loads((run.folder / "metrics.json").read_text())
    assert {"training", "evaluation"} <= stored.keys()
    assert {"active", "parameters"} <= stored["evaluation"]["values"].keys()
    # Figures by another protocol are not mixed with these.
    evaluate(run, source, measures=["cost"], seed=1).write(run.folder)
    stored = json.loads((run.folder / "metrics.json").read_text())
    assert "active" not in stored["evaluation"]["values"]


def test_what_does_not_apply_says_why():
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    plain = fit(load(x), "ae", latent_dim=2, epochs=1, threads=1)
    found = evaluate(plain, load(x))
    assert "no density" in found.why_missing["nll"]
    assert "no labels" in found.why_missing["probe"]
    assert "nll" not in found.values


def test_a_conditional_model_is_refused_with_what_to_use():
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    source = load(x, labels=np.arange(100) % 2, condition="label")
    conditional = fit(source, "cvae", latent_dim=2, epochs=1, threads=1)
    with pytest.raises(UnsupportedError, match="isthmus score"):
        evaluate(conditional, source)
