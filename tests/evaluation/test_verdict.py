"""The verdict: winners, noise, and the figures in its sentences."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind, ttest_rel

from isthmus.evaluation.pairs import paired_tests
from isthmus.evaluation.ranking import Judged, held_level, leads, rank
from isthmus.evaluation.results import ModelResult
from isthmus.evaluation.verdict import verdict


def result(name, family="learned", latent_dim=16, main=True, errors=None, seeds=None, **metrics):
    metrics = {"bytes": 4.0 * latent_dim, **metrics}
    return ModelResult(name, name, family, latent_dim, main, metrics, errors or {}, seeds or {})


def judged(value, offset=0.0, spread=1.0, key="r2", **more):
    """Per-datum errors that share their noise, so that only the offset tells models apart."""
    noise = np.random.default_rng(0).normal(size=400) * spread
    own = np.random.default_rng(int(1000 * value)).normal(size=400) * 0.1
    return Judged(result(f"m{value}", **{key: value}, **more), {key: 5.0 + offset + noise + own})


def test_paired_differences_find_a_lead_that_plain_errors_would_miss():
    a, b = judged(0.90, offset=0.0, spread=3.0), judged(0.89, offset=0.05, spread=3.0)
    a.result.errors["r2"] = b.result.errors["r2"] = 0.05
    assert leads(a, b, "r2")
    assert not leads(Judged(a.result), Judged(b.result), "r2")


def test_equal_models_are_within_noise():
    a, b = judged(0.901), judged(0.900)
    ranking = rank([b, a], "r2")
    assert ranking.best.label == "m0.901"
    assert ranking.within_noise


@pytest.mark.parametrize(
    ("second", "sure"), [([0.80, 0.81, 0.79], True), ([0.88, 0.95, 0.80], False)]
)
def test_over_seeds_the_spread_between_seeds_decides(second, sure):
    a = Judged(result("a", r2=0.9, seeds={"r2": [0.90, 0.91, 0.89]}))
    b = Judged(result("b", r2=float(np.mean(second)), seeds={"r2": second}))
    assert leads(a, b, "r2") is sure


@pytest.mark.parametrize("other", [[0.72, 0.70, 0.78, 0.74], [0.80]])
def test_over_seeds_a_lead_is_welchs_test(other):
    """Against scipy's, with a baseline that is the same at every seed as a known mean."""
    mine = [0.80, 0.85, 0.90]
    for shift in np.linspace(0.0, 0.3, 31):
        theirs = [value - shift for value in other]
        a = Judged(result("a", r2=float(np.mean(mine)), seeds={"r2": mine}))
        b = Judged(result("b", r2=float(np.mean(theirs)), seeds={"r2": theirs}))
        tested = (
            ttest_ind(mine, theirs, equal_var=False)
            if len(other) > 1
            else ttest_1samp(mine, theirs[0])
        )
        assert leads(a, b, "r2") == leads(b, a, "r2") == (tested.pvalue < 0.05)


def test_a_lead_must_stand_against_other_data_and_other_seeds():
    noise = np.random.default_rng(0).normal(size=400)
    known = {"r2": [0.90, 0.901, 0.899]}, {"r2": [0.80, 0.801, 0.799]}
    spread = {"r2": [0.90, 0.75, 0.95]}, {"r2": [0.80, 0.60, 0.95]}
    for (mine, theirs), offset, sure in (
        (known, 1.0, True),
        (known, 0.01, False),
        (spread, 1.0, False),
    ):
        a = Judged(result("a", r2=float(np.mean(mine["r2"])), seeds=mine), {"r2": noise * 0.1})
        b = Judged(
            result("b", r2=float(np.mean(theirs["r2"])), seeds=theirs), {"r2": noise + offset}
        )
        assert leads(a, b, "r2") is sure


def test_a_code_of_integers_and_a_model_that_is_told_more_are_no_rivals_of_plain_codes():
    found = findings(
        result("ae", r2=0.7, errors={"r2": 0.001}),
        result("vq-vae", r2=0.9, rate=72.0, errors={"r2": 0.001}),
        result("vae", r2=0.6, nll=90.0, rate=8.0, errors={"r2": 0.001}),
        replace(result("cvae", r2=0.8, nll=80.0, rate=6.0, errors={"r2": 0.001}), given=["label"]),
    )
    text = found["a plain or a variational one"].text
    assert text.startswith("ae rebuilds better than vae (R² 0.700 and 0.600)")
    assert "Not to be compared with it: the NLL of cvae." in found["compress"].text


def test_less_is_better_where_the_column_says_so():
    a, b = Judged(result("a", nll=100.0)), Judged(result("b", nll=90.0))
    assert rank([a, b], "nll").best.label == "b"
    assert rank([a, b], "probe") is None


PCA_CURVE = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95])


def findings(*models):
    return {f.purpose: f for f in verdict([Judged(m) for m in models], PCA_CURVE, True)}


def test_a_lead_that_the_paired_tests_leave_open_is_within_noise():
    """2.1 standard errors before each of three: six pairs leave that to chance."""
    chance = np.random.default_rng(0)
    first, noise = chance.normal(5.0, 1.0, size=400), chance.normal(size=(3, 400))
    noise = (noise - noise.mean(1, keepdims=True)) / noise.std(1, ddof=1, keepdims=True)
    values = [first, *(first + noise + 2.1 / np.sqrt(400))]
    models = [Judged(result(f"m{k}", r2=0.9 - k / 100), {"r2": v}) for k, v in enumerate(values)]
    pairs = paired_tests([(j.result.label, j.per_datum) for j in models])
    raw = ttest_rel(values[1], values[0]).pvalue
    assert raw < 0.05
    found = next(q.p for q in pairs if {q.better, q.worse} == {"m0", "m1"})
    assert found == pytest.approx(6 * raw)
    assert leads(*models[:2], "r2")
    assert not rank(models, "r2").within_noise
    judged = held_level(models, pairs)
    assert not leads(*judged[:2], "r2")
    assert not leads(*judged[1::-1], "r2")
    assert rank(judged, "r2").within_noise


def test_an_area_below_a_half_is_no_better_than_a_half():
    """Estimates scatter about 0.5 where nothing tells samples from data: 0.46 is luck."""
    first, lucky = (
        Judged(result(label, sample_auc=auc, errors={"sample_auc": 0.001}))
        for label, auc in (("first", 0.5), ("lucky", 0.46))
    )
    assert rank([first, lucky], "sample_auc").best.label == "first"
    assert not leads(lucky, first, "sample_auc")
    told = Judged(result("told", sample_auc=0.54, errors={"sample_auc": 0.001}))
    assert leads(lucky, told, "sample_auc")


@pytest.mark.parametrize(("error", "said"), [(1.0, True), (0.01, False)])
def test_a_likelihood_within_noise_is_said_so(error, said):
    models = [
        Judged(result(name, r2=r2, nll=nll, errors={"nll": error}))
        for name, r2, nll in (("factor-analysis", 0.8, 19.5), ("pca", 0.9, 19.8))
    ]
    found = {f.purpose: f for f in verdict(models, np.array([0.0, 0.9]), countable=False)}
    text = found["compress"].text
    assert "factor-analysis gives held-out data the highest: NLL 19.5 nats" in text
    assert text.endswith("19.5 nats; within noise of pca with 19.8.") is said


def test_pca_is_enough_where_no_network_beats_it():
    found = findings(
        result("pca", "baseline", 4, r2=0.8),
        result("ae", latent_dim=4, r2=0.79, errors={"r2": 0.001}),
    )
    need = found["do I need an autoencoder"]
    assert need.winner == "pca"
    assert "PCA is enough" in need.text


def test_a_network_that_wins_is_told_with_the_size_that_pca_needs():
    found = findings(
        result("pca", "baseline", 4, r2=0.8),
        result("ae", latent_dim=4, r2=0.93, errors={"r2": 0.001}),
    )
    need = found["do I need an autoencoder"]
    assert need.winner == "ae"
    assert "PCA needs 6 dimensions" in need.text
    assert "0.930" in need.text


def test_the_smallest_code_that_keeps_nearly_all():
    sweep = [
        result("ae", latent_dim=z, main=z == 8, r2=r2, errors={"r2": 0.0})
        for z, r2 in ((2, 0.5), (4, 0.88), (8, 0.92))
    ]
    assert findings(*sweep)["code size"].winner == "4 dimensions"


@pytest.mark.parametrize("kept", [(-0.2, -0.1), (0.0, 0.0), (float("nan"), float("nan"))])
def test_no_size_is_named_where_none_keeps_anything(kept):
    sweep = [
        result("ae", latent_dim=z, main=z == 4, r2=r2, errors={"r2": 0.0})
        for z, r2 in zip((2, 4), kept, strict=True)
    ]
    found = findings(*sweep)["code size"]
    assert found.winner == ""
    assert "At no size ae keeps any" in found.text


def test_within_noise_is_said_in_words():
    found = findings(
        result("a", probe=0.95, errors={"probe": 0.02}),
        result("b", probe=0.94, errors={"probe": 0.02}),
    )
    assert found["features"].within_noise
    assert "within noise" in found["features"].text


def test_a_larger_code_than_pcas_does_not_show_that_a_network_is_needed():
    found = findings(
        result("pca", "baseline", 2, r2=0.4),
        result("vae", latent_dim=2, r2=0.3, errors={"r2": 0.001}),
        result("vq-vae", latent_dim=8, r2=0.9, rate=72.0, errors={"r2": 0.001}),
    )
    need = found["do I need an autoencoder"]
    assert need.winner == "pca"
    assert need.text.endswith("At 2 dimensions vae keeps R² 0.300 and PCA 0.400.")
    assert "next is pca with 0.400 at 2 dimensions" in found["compress"].text


def test_models_that_keep_nothing_are_not_advised():
    said = findings(
        result("pca", "baseline", r2=-2e15),
        result("ae", r2=-5.5e15),
    )
    need = said["do I need an autoencoder"]
    assert need.winner == ""
    assert "no model keeps any" in need.text
    assert "(R² at most -2.0e+15)" in need.text
    assert "compress" not in said
