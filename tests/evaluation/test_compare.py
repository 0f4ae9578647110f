"""The comparison end to end, its figures against scikit-learn's on data whose truth is known."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from isthmus.data import DataSpec, Resident, load
from isthmus.errors import OptionError, RunError, UnknownNameError
from isthmus.evaluation import Comparison, compare
from isthmus.evaluation.lineup import line_up, powers_below
from isthmus.evaluation.measures import column
from isthmus.evaluation.stage import pca_curve, prepare
from isthmus.fitting import Split

QUICK = {"epochs": 2, "threads": 1, "hidden": (16,)}


def table(n=1500, noise=0.3):
    """Two factors in six columns of very different units, with a label."""
    random = np.random.default_rng(0)
    z = random.normal(size=(n, 2))
    x = z @ random.normal(size=(2, 6)) + noise * random.normal(size=(n, 6))
    x = x * np.array([1.0, 100.0, 0.01, 1.0, 5.0, 1.0]) + 3.0
    spec = DataSpec("table", (6,), "real", n, classes=("low", "high"))
    labels = torch.as_tensor((z[:, 0] > 0).astype(np.int64))
    return Resident(torch.as_tensor(x, dtype=torch.float32), spec, labels=labels)


@pytest.fixture(scope="module")
def compared():
    return compare(
        table(), models=["pca", "factor-analysis", "ae", "vae"], latent_dim=2, samples=50, **QUICK
    )


def parts():
    training, _, test = Split().of(table())
    return training.x.double().numpy(), test.x.double().numpy(), training.labels, test.labels


def test_the_step_that_was_kept_is_where_the_held_out_loss_is_least(compared):
    for result in compared.results:
        if result.family == "learned":
            step, _, held_out = compared.arrays[f"history/{result.label}"].T
            assert result.kept_step == step[np.nanargmin(held_out)]
        else:
            assert result.kept_step is None


def test_pca_s_figures_are_scikit_learn_s(compared):
    train, test, train_labels, test_labels = parts()
    pca = next(r for r in compared.results if r.name == "pca" and r.main)
    scaler = StandardScaler().fit(train)
    model = PCA(2).fit(scaler.transform(train))
    u = scaler.transform(test)
    rebuilt = model.inverse_transform(model.transform(u))
    assert pca.metrics["r2"] == pytest.approx(
        r2_score(u, rebuilt, multioutput="uniform_average"), abs=1e-5
    )
    # Columns have units of their own: the error is in their spreads.
    squares = np.square(rebuilt - u).mean(1)
    assert pca.metrics["rmse"] == pytest.approx(math.sqrt(squares.mean()), rel=1e-4)
    draws = np.random.default_rng(0).integers(len(squares), size=(4000, len(squares)))
    bootstrapped = np.sqrt(squares[draws].mean(1)).std()
    assert pca.errors["rmse"] == pytest.approx(bootstrapped, rel=0.1)
    # A density in the data's own units: the scaled one over the product of the scales.
    score = model.score_samples(u) - np.log(scaler.scale_).sum()
    assert pca.metrics["nll"] == pytest.approx(-score[:500].mean(), abs=1e-3)
    probe = LogisticRegression(C=1e6, max_iter=1000).fit(
        model.transform(scaler.transform(train)), train_labels
    )
    assert pca.metrics["probe"] == pytest.approx(
        probe.score(model.transform(u), test_labels), abs=0.01
    )


def test_pca_s_curve_is_what_the_table_says_at_each_size():
    """By column for a table, over all elements together for counts."""
    counted = np.random.default_rng(0).poisson([1.0, 5.0, 30.0, 2.0], (400, 4))
    counts = Resident(
        torch.as_tensor(counted, dtype=torch.float32), DataSpec("counts", (4,), "count", 400)
    )
    for source in (table(400), counts):
        found = compare(source, models=["pca"], latent_dim=3, latent_dims=[1, 2], samples=5)
        curve = pca_curve(prepare(source, Split(), 0))
        assert curve[0] == pytest.approx(0.0, abs=0.05)
        for result in found.results:
            assert curve[result.latent_dim] == pytest.approx(result.metrics["r2"], abs=1e-6)


def test_the_true_model_s_samples_cannot_be_told_from_the_data(compared):
    true = next(r for r in compared.results if r.name == "factor-analysis")
    assert true.metrics["sample_auc"] == pytest.approx(0.5, abs=4 * true.errors["sample_auc"])
    short = next(r for r in compared.results if r.name == "vae")  # two epochs are not enough
    assert short.metrics["sample_auc"] > true.metrics["sample_auc"] + 0.1


def test_rate_and_distortion_add_up_to_the_elbo_in_bits(compared):
    for result in compared.results:
        if "rate" in result.metrics:
            bits = result.metrics["rate"] + result.metrics["distortion"]
            assert bits * math.log(2) == pytest.approx(-result.metrics["elbo"], rel=1e-6)
            assert result.metrics["nll"] < bits * math.log(2) + 4 * result.errors["nll"]


def test_what_a_model_cannot_have_is_missing_with_its_reason(compared):
    ae = next(r for r in compared.results if r.name == "ae")
    assert "nll" not in ae.metrics
    assert "no density" in ae.why_missing["nll"]
    assert all(column(key).key == key for r in compared.results for key in r.metrics)


def test_it_comes_back_from_disk(compared, tmp_path):
    compared.write(tmp_path)
    again = Comparison.read(tmp_path)
    assert again.results == compared.results
    assert again.findings == compared.findings
    assert again.spec == compared.spec
    for key, array in compared.arrays.items():
        np.testing.assert_array_equal(again.arrays[key], array)
    json.loads(
        (tmp_path / "metrics.json").read_text(), parse_constant=lambda word: pytest.fail(word)
    )
    whole = (tmp_path / "arrays.npz").read_bytes()
    for cut in (b"", b"PK", whole[: len(whole) // 2], whole[:60] + b"0" * 200 + whole[260:]):
        (tmp_path / "arrays.npz").write_bytes(cut)
        with pytest.raises(RunError, match="no whole comparison"):
            Comparison.read(tmp_path)


def test_seeds_give_intervals_and_the_same_seed_the_same_figures():
    options = {"models": ["ae"], "latent_dim": 2, "latent_dims": [], "samples": 10, **QUICK}
    several = compare(table(300), seeds=3, **options)
    result = several.results[0]
    values = result.seeds["r2"]
    assert len(set(values)) == 3
    # Student's t for 2 degrees of freedom: 4.303.
    half = 4.30265 * np.std(values, ddof=1) / math.sqrt(3)
    assert result.errors["r2"] == pytest.approx(half, rel=1e-4)
    once = compare(table(300), seeds=1, **options).results[0]
    assert once.metrics["r2"] == values[0]


def test_digits_are_levels_and_their_likelihood_counts_them():
    found = compare("digits", models=["pca"], latent_dim=8, latent_dims=[], samples=5)
    pca = found.results[0]
    # Naming each of 64 pixels among 17 levels takes 64 log 17 nats: a model must need fewer.
    assert 0 < pca.metrics["nll"] < 64 * math.log(17)
    assert any("17" in note for note in found.notes)
    source = load("digits")
    assert found.arrays["originals"].min() >= 0
    assert pca.metrics["rmse"] < 16 * source.x.std().item()


def test_the_line_up():
    spec = DataSpec("table", (10,), "real", 100)
    names = [
        e.label for e in line_up(spec, ["all-linear", "ae", "beta-vae:beta=8"], 4, []) if e.main
    ]
    assert names == ["pca", "factor-analysis", "ica", "ae", "beta-vae (beta=8)"]
    sizes = [
        (e.name, e.latent_dim)
        for e in line_up(spec, ["pca", "vae", "ae"], 4, [2, 4, 8])
        if not e.main
    ]
    assert sizes == [("pca", 2), ("pca", 8), ("ae", 2), ("ae", 8)]
    assert powers_below(16) == [2, 4, 8]
    assert powers_below(2) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"models": ["vea"]}, UnknownNameError, "Did you mean 'vae'"),
        ({"models": ["beta-vae:bta=3"]}, OptionError, "Did you mean 'beta'"),
        ({"models": ["beta-vae:beta"]}, OptionError, "has no value"),
        ({"models": []}, OptionError, "No model"),
        ({"models": ["pca"], "latent_dims": [0]}, OptionError, "at least 1"),
        ({"seeds": 0}, OptionError, "at least one"),
        ({"epoch": 3}, OptionError, "Did you mean 'epochs'"),
    ],
)
def test_what_cannot_work_is_said_at_once(options, error, message):
    with pytest.raises(error, match=message):
        compare(table(50), **options)
