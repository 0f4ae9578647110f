"""The measures of disentanglement on codes whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from isthmus.data import DataSpec
from isthmus.evaluation.candidates import Candidate
from isthmus.evaluation.measures import ask
from isthmus.evaluation.subject import Question, Subject
from isthmus.evaluation.units import Units

MEASURES = ("disentanglement", "dci", "fixed-factors")


def subject(code, factors=3):
    """Data that are their factors, coded by `code`."""
    sizes = (3, 4, 5)[:factors]
    grid = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, factors)
    random = np.random.default_rng(0)
    train, test = (grid[random.integers(0, len(grid), n)] for n in (1000, 500))
    spec = DataSpec(kind="table", shape=(factors,), support="real", length=1500)
    question = Question(
        Units(spec),
        train.astype(float),
        test.astype(float),
        test.astype(float),
        None,
        None,
        train_factors=train,
        test_factors=test,
    )
    candidate = Candidate(
        name="known",
        family="baseline",
        latent_dim=factors,
        parameters=0,
        seconds=0.0,
        encode=lambda x, _=None: code(x),
        decode=lambda z, _=None: z,
        draw=lambda n, seed, _=None: np.zeros((n, factors)),
    )
    return Subject(candidate, question)


def test_a_latent_for_each_factor_is_perfect():
    found = ask(subject(lambda x: x), MEASURES)
    assert not found.why_missing
    for key, estimate in found.values.items():
        # SAP of a factor of few values stays below 1: the runner-up guesses well too.
        assert estimate.value > (0.3 if key == "sap" else 0.95), key


def test_mixed_latents_score_less():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    straight, mixed = (
        ask(subject(code), MEASURES).values for code in (lambda x: x, lambda x: x @ turn)
    )
    for key in ("mig", "sap", "modularity", "dci_d", "dci_c"):
        assert mixed[key].value < straight[key].value - 0.1, key
    # A rotation loses nothing that a linear classifier or a tree could not find again.
    assert mixed["dci_i"].value > 0.95


def test_a_constant_code_scores_nothing():
    found = ask(subject(lambda x: np.ones_like(x)), MEASURES).values
    assert found["mig"].value == pytest.approx(0.0, abs=1e-9)
    assert found["factor_vae"].value == 0.0


def test_one_factor_is_not_enough():
    found = ask(subject(lambda x: x, factors=1), MEASURES)
    assert not found.values
    assert "fewer than two" in found.why_missing["mig"]


def test_an_infinite_total_correlation_is_missing_with_its_reason():
    doubled = ask(subject(lambda x: np.concatenate([x, x[:, :1]], 1)), ["dependence"])
    assert "tc" not in doubled.values
    assert "fixed by the others" in doubled.why_missing["tc"]
    # The covariance of 60 rows has a rank below 100.
    wide = subject(lambda x: np.random.default_rng(3).normal(size=(len(x), 100)))
    few = replace(wide.question, test=wide.question.test[:60], clean=wide.question.clean[:60])
    found = ask(Subject(wide.candidate, few), ["dependence"])
    assert "latent_mi" in found.values
    assert found.why_missing["tc"].startswith("60 held-out data do not tell how 100 numbers")
