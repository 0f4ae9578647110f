"""The figures of one run, measured by name."""

import json

import numpy as np
import pytest
import torch

from isthmus.annealing import Annealing
from isthmus.data import load
from isthmus.data.condition import Conditioned
from isthmus.errors import DataError, OptionError, UnknownNameError
from isthmus.evaluation import MEASURES, evaluate
from isthmus.evaluation.evaluate import names_of
from isthmus.evaluation.measures import likelihood
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


# Of every kind of question: rows, pairs, draws of the prior, the aggregate, and decoded paths.
TOLD = ["reconstruction", "likelihood", "outliers", "prior-gap", "interpolations", "memorising"]


def told_apart(n=200):
    """Data that are their label's mean and noise, conditioned on the label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    x = (4.0 * labels[:, None] + rng.normal(size=(n, 3))).astype(np.float32)
    return x, load(x, labels=labels, condition="label")


@pytest.fixture(scope="module")
def conditional():
    return fit(told_apart()[1], "cvae", latent_dim=2, epochs=80, lr=1e-2, hidden=(16,), threads=1)


def test_a_conditional_model_is_asked_under_the_conditions_of_the_data(conditional):
    source = told_apart()[1]
    found = evaluate(conditional, source, measures=TOLD, samples=50)
    batch = next(iter(conditional.split.of(source)[2].chunks(1000)))
    asked = {"condition": batch.condition}
    again = conditional.model.reconstruct(batch.x, **asked).numpy()
    kept = r2(batch.x.numpy(), again, per_column=True)
    assert found.values["r2"].value == pytest.approx(kept, abs=1e-6)
    torch.manual_seed(0)
    nll = -conditional.model.log_likelihood(batch.x, 50, **asked).double().numpy()
    assert found.values["nll"].value == pytest.approx(nll.mean(), abs=0.2)
    # Under the other label data are less likely.
    other = {"condition": batch.condition.flip(1)}
    assert -conditional.model.log_likelihood(batch.x, 50, **other).mean() > nll.mean() + 0.3
    assert any("is told label" in text for text in found.words)
    assert {"outlier_auc", "prior_auc", "stretch", "closeness"} <= found.values.keys()


def test_the_rate_of_a_conditional_model_splits_into_what_codes_tell_and_the_rest(conditional):
    found = evaluate(conditional, told_apart()[1], measures=["information", "likelihood"]).values
    parts = found["mi"].value + found["marginal_kl"].value
    assert parts == pytest.approx(found["rate"].value, abs=4 * found["mi"].error + 0.05)


def test_annealing_agrees_with_importance_sampling_under_a_condition(conditional, monkeypatch):
    monkeypatch.setattr(likelihood, "HOW", Annealing(chains=4, steps=20))
    monkeypatch.setattr(likelihood, "ANNEALED_ROWS", 6)
    excess = evaluate(conditional, told_apart()[1], measures=["annealed"], samples=500).values[
        "nll_excess"
    ]
    assert abs(excess.value) < 3.0 * excess.error + 0.1


def test_a_prior_that_reads_the_condition_has_no_one_aggregate():
    source = told_apart()[1]
    model = fit(source, "ivae", latent_dim=2, epochs=1, threads=1)
    found = evaluate(model, source, measures=["information", "prior-gap"])
    assert "prior of ivae depends on the condition" in found.why_missing["mi"]
    assert {"prior_mmd", "prior_auc"} <= found.values.keys()


def test_a_conditional_model_needs_the_condition(conditional):
    with pytest.raises(DataError, match="conditioned on label, and these data come without"):
        evaluate(conditional, load(told_apart()[0]))


def test_data_in_another_order_of_reading_keep_the_split_of_the_run(run):
    """A source that is wrapped, as arrays of another unit are, is split as the run's was."""
    source = load("digits")
    wrapped = Conditioned(source, source.spec, lambda batch: batch)
    plain, same = (evaluate(run, s, measures=["reconstruction"]) for s in (source, wrapped))
    assert plain.values["r2"] == same.values["r2"]


def test_whole_levels_are_spread_over_their_cells(run):
    source = load("digits")
    plain = evaluate(run, source, measures=["likelihood", "bits-per-dim"], samples=20)
    assert any("--dequantise" in text for text in plain.words)
    spread = evaluate(
        run, source, measures=["likelihood", "bits-per-dim"], samples=20, dequantise=True
    )
    assert not any("--dequantise" in text for text in spread.words)
    # Of 17 levels: the density of u in [0, 1) and the logarithm of its cells.
    test = run.split.of(source)[2]
    x = torch.cat([batch.x for batch in test.chunks(1000)])
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    log_p = run.model.log_likelihood((x * 16 + noise) / 17, 20)
    expected = (64 * np.log(17) - float(log_p.double().mean())) / (64 * np.log(2))
    assert spread.values["bits_dim"].value == pytest.approx(expected, abs=0.02)
    assert spread.values["nll"].value / (64 * np.log(2)) == pytest.approx(expected, abs=0.02)
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    plain_run = fit(load(x), "vae", latent_dim=2, epochs=1, threads=1)
    with pytest.raises(OptionError, match="nothing to dequantise"):
        evaluate(plain_run, load(x), dequantise=True)
