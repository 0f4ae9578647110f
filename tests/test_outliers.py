"""Outlier scores against formulas, asked of a linear model that is known by heart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from isthmus.outliers import SCORES, needs_density, rebuilt

AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 2)))[0]
SHIFTS = np.array([[0.0, 1.0, 0.0, -1.0], [2.0, 0.0, 0.5, 0.0]])


class Linear:
    """X ≈ shift of its condition + two axes; log p(x) and rate are closed forms of one's own."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def transform(self, X: Any, condition: Any = None) -> Any:
        return (X - of(condition)) @ AXES

    def inverse_transform(self, X: Any, condition: Any = None) -> Any:
        return X @ AXES.T + of(condition)

    def score_samples(self, X: Any, *, condition: Any = None) -> Any:
        self.asked.append(len(X))
        return norm.logpdf(X - of(condition)).sum(1)

    def rates(self, X: Any, condition: Any = None) -> Any:
        return 0.5 * np.square(self.transform(X, condition)).sum(1)


def of(condition: Any) -> Any:
    return 0.0 if condition is None else condition @ SHIFTS


@pytest.fixture(params=[False, True], ids=["plain", "conditional"])
def data(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, Any, Any]:
    """Known rows and asked ones, with their conditions."""
    chance = np.random.default_rng(1)
    known, asked = chance.normal(size=(1500, 4)) * [1, 2, 3, 4], 3 * chance.normal(size=(7, 4))
    if not request.param:
        return known, asked, None, None
    return known, asked, *(np.eye(2)[chance.integers(0, 2, n)] for n in (1500, 7))


def by_hand(name: str, known: np.ndarray, asked: np.ndarray, c: Any, d: Any) -> np.ndarray:
    centred, others = known - of(c), asked - of(d)
    log_p = multivariate_normal(np.zeros(4)).logpdf(others)
    if name == "neighbours":
        surface = np.stack([AXES @ (AXES.T @ row) for row in centred]) + of(c)
        far = [sorted(np.linalg.norm(row - there) for there in surface) for row in asked]
        return -np.array([sum(distances[:5]) / 5 for distances in far])
    if name == "reconstruction":
        off = others @ (np.eye(4) - AXES @ AXES.T)
        return -np.einsum("ij,ij->i", off, off)
    if name == "likelihood-ratio":
        return log_p - multivariate_normal(known.mean(0), np.diag(known.var(0))).logpdf(asked)
    if name == "latent":
        codes = centred @ AXES
        gaussian = multivariate_normal(codes.mean(0), np.cov(codes.T, ddof=0))
        return np.asarray(gaussian.logpdf(others @ AXES))
    if name == "typicality":
        rows = np.random.RandomState(0).permutation(1500)[:1000]
        every = multivariate_normal(np.zeros(4)).logpdf(centred)
        return -np.abs(log_p - every[rows].mean())
    return log_p if name == "likelihood" else -0.5 * np.linalg.norm(others @ AXES, axis=1) ** 2


@pytest.mark.parametrize("name", [entry.name for entry in SCORES])
def test_scores_are_their_formulas_given_a_condition_or_none(name, data):
    known, asked, c, d = data
    model = Linear()
    score = SCORES.create(name).fit(model, known, c)
    np.testing.assert_allclose(score.usual(model, asked, d), by_hand(name, known, asked, c, d))
    if not score.needs_density:
        assert model.asked == []


def test_what_a_score_asks_for_is_said():
    dense = {entry.name for entry in SCORES if needs_density(entry.factory)}
    assert dense == {"likelihood", "likelihood-ratio", "typicality", "kl"}
    distances = {entry.name for entry in SCORES if SCORES.create(entry.name).by_distance}
    assert distances == {"neighbours", "reconstruction"}


def test_rows_come_back_from_the_model(data):
    known, _, c, _ = data
    there = rebuilt(Linear(), known, c)
    np.testing.assert_allclose((there - of(c)) @ AXES, (known - of(c)) @ AXES)
    np.testing.assert_allclose(np.linalg.svd(there - of(c))[1][2:], 0, atol=1e-9)
