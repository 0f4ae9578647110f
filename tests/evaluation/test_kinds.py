"""Masses, densities and likelihoods of conditional models stand apart, wherever figures meet."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from isthmus.data import DataSpec, Resident
from isthmus.data.spec import Column, ConditionColumn
from isthmus.evaluation import compare
from isthmus.evaluation.kinds import Kind, apart, common_kind, kind_of, say_kinds
from isthmus.evaluation.measures import column
from isthmus.evaluation.ranking import Judged, comparable, rank
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.evaluation.verdict import verdict
from isthmus.fitting import Split

QUICK = {"epochs": 1, "threads": 1, "hidden": (8,), "latent_dim": 2, "latent_dims": []}
NLL = column("nll")


def result(label, nll, is_mass, given=(), family="learned", **metrics):
    metrics = {"r2": 0.5, "bytes": 8.0, "rate": 3.0, "nll": nll, **metrics}
    return ModelResult(label, label, family, 2, metrics=metrics, is_mass=is_mass, given=list(given))


PCA_DENSITY = result("pca", 10.0, False, family="baseline")
POISSON = result("poisson", 90.0, True)
BINOMIAL = result("binomial", 80.0, True)
TOLD = result("told", 20.0, True, ("label",))


def test_the_kind_of_the_learned_models_that_are_told_nothing_decides():
    assert common_kind([PCA_DENSITY, TOLD, POISSON], "nll") == Kind(True, ())
    assert common_kind([PCA_DENSITY, TOLD], "nll") == Kind(False, ())
    assert common_kind([TOLD], "nll") == Kind(True, ("label",))
    assert common_kind([PCA_DENSITY, result("gaussian", 1.0, False), POISSON], "nll").is_mass
    assert common_kind([result("ae", math.nan, None)], "nll") is None


def test_only_figures_of_the_data_themselves_are_told_apart():
    found = apart([PCA_DENSITY, POISSON, TOLD, BINOMIAL], NLL)
    assert found.keys() == {0, 2}
    assert "density" in found[0]
    assert "label" in found[2]
    assert "log p(x|c)" in found[2]
    assert apart([PCA_DENSITY, POISSON], column("r2")) == {}
    assert apart([PCA_DENSITY, POISSON], column("rate")) == {}
    assert all(column(c).of_data for c in ("elbo", "distortion", "bits_dim", "nll_annealed"))
    # What was written before kinds were known is compared as it was.
    assert apart([result("a", 1.0, None), result("b", 2.0, None)], NLL) == {}


def test_ranks_tests_and_words_stay_within_one_kind():
    noise = np.random.default_rng(0).normal(size=200)
    judged = [
        Judged(r, {"nll": r.metrics["nll"] + 0.1 * noise * i, "r2": noise * i})
        for i, r in enumerate((PCA_DENSITY, POISSON, BINOMIAL, TOLD), 1)
    ]
    ranking = rank(judged, "nll")
    assert [j.result.label for j in ranking.models] == ["binomial", "poisson"]
    assert len(rank(judged, "r2").models) == 4
    assert [sorted(values) for _, values in comparable(judged)] == [
        ["r2"],
        ["nll", "r2"],
        ["nll", "r2"],
        ["r2"],
    ]
    found = {f.purpose: f for f in verdict(judged, np.zeros(3), True)}
    text = found["compress"].text
    assert "whose likelihood is a probability binomial gives" in text
    assert f"{80 / math.log(2):.0f} bits to store a datum exactly" in text
    assert text.endswith("Not to be compared with it: the NLL of pca, told.")
    assert say_kinds([PCA_DENSITY, POISSON, TOLD, BINOMIAL], False) == (
        "a density: pca; a probability: poisson, binomial; a probability given label: told"
    )


def test_a_density_of_counts_is_no_number_of_bits():
    (compress,) = [
        f for f in verdict([Judged(PCA_DENSITY)], np.zeros(3), True) if f.purpose == "compress"
    ]
    assert "NLL 10.0 nats." in compress.text
    assert "bits to store" not in compress.text


def counts(n=300):
    random = np.random.default_rng(0)
    x = random.poisson(random.gamma(1.0, 3.0, (n, 1)) * random.gamma(1.0, 1.0, 6))
    return Resident(torch.as_tensor(x, dtype=torch.float32), DataSpec("counts", (6,), "count", n))


def binary(n=300):
    random = np.random.default_rng(0)
    x = (random.random((n, 6)) < random.random((n, 1))).astype(np.float32)
    return Resident(torch.as_tensor(x), DataSpec("table", (6,), "binary", n))


@pytest.mark.parametrize("data", [counts, binary])
def test_on_whole_values_pca_is_a_density_among_masses(data, tmp_path):
    found = compare(
        data(), models=["pca", "vae", "beta-vae:beta=2"], samples=20, folder=tmp_path, **QUICK
    )
    assert {r.name: r.is_mass for r in found.results} == {
        "pca": False,
        "vae": True,
        "beta-vae": True,
    }
    tested = [{p.better, p.worse} for p in found.pairs if p.figure == "nll"]
    assert tested == [{"vae", "beta-vae (beta=2)"}]
    (compress,) = [f for f in found.findings if f.purpose == "compress"]
    assert "the NLL of pca." in compress.text
    assert found.protocol["NLL"] == "a density: pca; a probability: vae, beta-vae (beta=2)"
    assert Comparison.read(tmp_path).results == found.results
    # Its NLL is shown, and is that of scikit-learn's density.
    train, _, test = (part.x.double().numpy() for part in Split().of(data()))
    scale = (train.mean(0), train.std(0)) if found.spec.kind == "table" else (0.0, np.ones(6))
    model = PCA(2).fit((train - scale[0]) / scale[1])
    score = model.score_samples((test - scale[0]) / scale[1]) - np.log(scale[1]).sum()
    pca = next(r for r in found.results if r.name == "pca")
    assert pca.metrics["nll"] == pytest.approx(-score.mean(), rel=1e-4)


def test_whole_levels_are_bounded_by_densities_of_one_kind():
    found = compare("digits", models=["pca", "vae"], samples=5, **QUICK)
    assert [r.is_mass for r in found.results] == [True, True]
    assert [p.figure for p in found.pairs].count("nll") == 1
    assert found.protocol["NLL"] == ("a bound on the probability of whole levels: pca, vae")


def test_a_conditional_model_is_out_of_the_likelihoods_contest():
    random = np.random.default_rng(0)
    x = torch.as_tensor(random.normal(size=(300, 4)), dtype=torch.float32)
    labels = torch.as_tensor(random.integers(0, 2, 300))
    spec = DataSpec(
        "table",
        (4,),
        "real",
        300,
        columns=tuple(Column(name) for name in "abcd"),
        classes=("no", "yes"),
        condition=(ConditionColumn("label", ("no", "yes")),),
    )
    told = torch.nn.functional.one_hot(labels, 2).float()
    source = Resident(x, spec, labels=labels, condition=told)
    found = compare(source, models=["pca", "vae", "cvae", "cvae:kl_warmup=0.5"], samples=5, **QUICK)
    given = {r.label: r.given for r in found.results}
    assert given == {"pca": [], "vae": [], "cvae": ["label"], "cvae (kl_warmup=0.5)": ["label"]}
    assert all(kind_of(r).is_mass is False for r in found.results)
    tested = [{p.better, p.worse} for p in found.pairs if p.figure == "nll"]
    assert tested == [{"pca", "vae"}]
    (compress,) = [f for f in found.findings if f.purpose == "compress"]
    assert "the NLL of cvae, cvae (kl_warmup=0.5)." in compress.text
