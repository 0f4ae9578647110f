"""The measures of regularity, of samples and of codes, of candidates whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.data import DataSpec, load
from isthmus.evaluation import evaluate
from isthmus.evaluation.candidates import Candidate, learned
from isthmus.evaluation.latents import paths, posterior_codes, prior_codes
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.subject import Question, Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import fit

REGULAR = ["neighbourhoods", "completeness", "interpolations", "prior-gap"]
JUDGED = ["memorising", "frechet", "knn-probe", "clusters"]


def identity(draw, decode=lambda z: z):
    """A baseline whose code is the datum."""
    return Candidate(
        name="identity",
        family="baseline",
        latent_dim=2,
        parameters=0,
        seconds=0.0,
        encode=lambda x, _=None: x,
        decode=lambda z, _=None: decode(z),
        draw=lambda n, seed, _=None: draw(n, seed),
    )


@pytest.fixture(scope="module")
def question():
    chance = np.random.default_rng(0)
    labels = np.repeat([0, 1], 400)
    x = chance.normal(size=(800, 2)) + 8.0 * labels[:, None] * [1.0, 0.0]
    order = chance.permutation(800)
    x, labels = x[order], labels[order]
    units = Units(DataSpec("vector", (2,), "real", 400))
    return Question(units, x[:400], x[400:], x[400:], labels[:400], labels[400:])


def fresh(n, seed):
    chance = np.random.default_rng(seed + 1)
    return chance.normal(size=(n, 2)) + 8.0 * chance.integers(0, 2, n)[:, None] * [1.0, 0.0]


def test_a_perfect_candidate(question):
    found = ask(Subject(identity(fresh), question), REGULAR + JUDGED)
    values = {key: estimate.value for key, estimate in found.values.items()}
    assert not found.why_missing
    for key in ("trust", "trust_wide", "continuity", "continuity_wide"):
        assert values[key] == 1
    assert values["stretch"] == pytest.approx(1)
    assert values["jump"] == pytest.approx(1)
    assert values["lipschitz_spread"] == pytest.approx(1)
    assert values["precision"] > 0.9
    assert values["coverage"] > 0.9
    assert values["density"] == pytest.approx(1, abs=0.15)
    assert values["closeness"] == pytest.approx(1, abs=0.15)
    assert abs(values["closer"] - 0.5) < 4 * found.values["closer"].error
    assert values["copies"] < 0.04
    assert values["frechet"] < 1.0
    assert values["knn"] == 1
    assert values["ari"] == values["nmi_mixture"] == pytest.approx(1)
    # Its codes are two groups, and the Gaussian of them is one.
    assert values["prior_auc"] > 0.7
    assert values["prior_mmd"] > 5 * found.values["prior_mmd"].error


def test_a_candidate_that_repeats_what_it_saw(question):
    def repeat(n, seed):
        return question.train[:n]

    found = ask(Subject(identity(repeat), question), ["memorising"]).values
    assert found["closeness"].value == 0
    assert found["closer"].value == found["copies"].value == 1


def test_a_candidate_that_knows_one_group_only(question):
    def half(n, seed):
        return np.random.default_rng(5).normal(size=(n, 2))

    found = ask(Subject(identity(half), question), ["completeness", "frechet"]).values
    assert found["precision"].value > 0.9
    assert found["coverage"].value == pytest.approx(0.5, abs=0.06)
    assert found["frechet"].value > 10 * found["frechet_real"].value


def test_a_decoder_that_jumps(question):
    steep = identity(fresh, decode=lambda z: np.stack([np.sign(z[:, 0] - 4.0), z[:, 1]], 1))
    found = ask(Subject(steep, question), ["interpolations"]).values
    assert found["jump"].value > 2
    assert found["lipschitz_spread"].value > 1.5


def test_features_of_ones_own_are_what_is_judged(question):
    """Features that see nothing of the group: half a candidate then covers everything."""
    from dataclasses import replace

    blind = replace(question, features=lambda x: x[:, 1:])

    def half(n, seed):
        return np.random.default_rng(5).normal(size=(n, 2))

    found = ask(Subject(identity(half), blind), ["completeness"]).values
    assert found["coverage"].value > 0.9


def test_sharpness_is_of_pictures():
    chance = np.random.default_rng(0)
    x = chance.random((30, 1, 6, 6))
    question = Question(Units(DataSpec("image", (1, 6, 6), "unit", 30)), x, x, x, None, None)
    flat = identity(lambda n, seed: 0.5 * x[:n] + 0.1)
    found = ask(Subject(flat, question), ["sharpness"]).values
    assert found["sharp"].value == pytest.approx(1)
    assert found["sharp_samples"].value == pytest.approx(0.25)


def test_of_a_trained_model():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    source = load(x, labels=np.arange(300) % 2)
    run = fit(source, "vae", latent_dim=2, epochs=2, threads=1)
    found = evaluate(run, source, measures=[*REGULAR, *JUDGED, "sharpness"])
    wanted = {c.key for n in (*REGULAR, *JUDGED) for c in MEASURES[n].about["columns"]}
    few = {"trust_wide", "continuity_wide"}  # 30 held-out data
    assert wanted - few <= set(found.values)
    assert "too few" in found.why_missing["trust_wide"]
    assert found.why_missing["sharp"] == "the data are no pictures"


def test_drawn_codes_are_those_of_the_model():
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    run = fit(load(x), "vae", latent_dim=2, epochs=1, threads=1)
    units = Units(run.spec)
    wide = np.repeat(x[:1].astype(float), 4000, 0)
    subject = Subject(learned(run, 1), Question(units, wide, wide, wide, None, None))
    with torch.no_grad():
        q = run.model.infer(run.model.scaling(torch.as_tensor(x[:1])))
    codes = posterior_codes(subject, wide)
    np.testing.assert_allclose(codes.mean(0), q.mean[0], atol=0.08)
    np.testing.assert_allclose(codes.std(0), q.stddev[0], rtol=0.06)
    drawn = prior_codes(subject, 4000)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.08)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2), atol=0.1)
    way = paths(subject, drawn[:5], drawn[5:10], 3)
    np.testing.assert_allclose(way[:, 1], (drawn[:5] + drawn[5:10]) / 2, atol=1e-5)


def test_integers_have_no_way_between():
    x = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    run = fit(load(x), "vq-vae", latent_dim=2, epochs=1, threads=1)
    found = evaluate(run, load(x), measures=["interpolations", "prior-gap"])
    assert "integers" in found.why_missing["stretch"]
    assert "integers" in found.why_missing["prior_mmd"]


def test_a_collapsed_posterior_is_not_told_from_the_prior():
    """Every q(z|x) is N(0, I): draws of codes and of the prior are independent, and alike."""
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    run = fit(load(x), "beta-vae", beta=1e4, latent_dim=4, epochs=1, threads=1)
    with torch.no_grad():
        for weights in run.model.posterior.parameters():
            weights.zero_()
    subject = Subject(
        learned(run, 1), Question(Units(run.spec), *3 * [x.astype(float)], None, None)
    )
    codes, drawn = posterior_codes(subject, x.astype(float)), prior_codes(subject, 300)
    np.testing.assert_allclose(codes.std(0), 1, atol=0.2)
    shared = np.corrcoef(codes.ravel(), drawn.ravel())[0, 1]
    assert abs(shared) < 4 / np.sqrt(codes.size)
    found = ask(subject, ["prior-gap"]).values
    for key, ideal in (("prior_auc", 0.5), ("prior_mmd", 0.0)):
        assert abs(found[key].value - ideal) < 3 * found[key].error
