"""Outlier scores against formulas, asked of a linear model that is known by heart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal, norm
from sklearn.ensemble import IsolationForest

from isthmus.errors import DataError
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


def levels(
    known: np.ndarray, asked: np.ndarray, there: np.ndarray, metric: Any = "cityblock"
) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + d / mean d) over its spread, d the mean distance to the five nearest; of both."""
    own = cdist(known, there, metric)
    np.fill_diagonal(own, np.inf)
    of_known, of_asked = (
        np.sort(d, axis=1)[:, :5].mean(1) for d in (own, cdist(asked, there, metric))
    )
    mean = of_known.mean()
    logs = [np.log(1 + distances / mean) for distances in (of_known, of_asked)]
    return logs[0] / logs[0].std(), logs[1] / logs[0].std()


def by_hand(name: str, known: np.ndarray, asked: np.ndarray, c: Any, d: Any) -> np.ndarray:
    centred, others = known - of(c), asked - of(d)
    log_p = multivariate_normal(np.zeros(4)).logpdf(others)
    surface = np.stack([AXES @ (AXES.T @ row) for row in centred]) + of(c)
    near = [levels(known, asked, there) for there in (known, surface)]
    if name == "neighbours":
        return -(near[0][1] + near[1][1])
    if name == "ensemble":
        back = np.stack([AXES @ (AXES.T @ row) for row in others]) + of(d)
        rows = (known, centred, surface), (asked, others, back)
        views = [np.concatenate([x, y @ AXES, abs(x - there)], 1) for x, y, there in rows]
        forest = IsolationForest(random_state=0).fit(views[0])
        isolated = [forest.score_samples(view) for view in views]
        totals = near[0][0] + near[1][0], near[0][1] + near[1][1]
        return isolated[1] / isolated[0].std() - totals[1] / totals[0].std()
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


def test_a_known_row_is_judged_as_a_new_one_is(data):
    known, _, c, _ = data
    model, some = Linear(), [3, 17, 900]
    rest = np.delete(np.arange(len(known)), some)
    found = SCORES.create("neighbours").fit(model, known, c).usual(model, known[some], None)
    # Without three of 1,500 rows the scales are all but the same.
    told = None if c is None else c[rest]
    unseen = SCORES.create("neighbours").fit(model, known[rest], told)
    np.testing.assert_allclose(found, unseen.usual(model, known[some], None), rtol=0.02)


@pytest.mark.parametrize("name", ["neighbours", "ensemble"])
def test_as_many_usual_rows_are_called_outliers_as_asked_for(name):
    chance = np.random.default_rng(0)
    known, new = chance.normal(size=(4000, 4)), chance.normal(size=(4000, 4))
    score = SCORES.create(name).fit(Linear(), known)
    threshold = np.percentile(score.usual(Linear(), known), 10)
    share = (score.usual(Linear(), new) < threshold).mean()
    # Two binomial errors of .0047 each.
    assert abs(share - 0.1) < 0.02


def test_wide_rows_are_compared_by_euclidean_distances():
    chance = np.random.default_rng(0)
    known, asked = chance.normal(size=(40, 300)), chance.normal(size=(5, 300)) * 2

    class Identity:
        def transform(self, X, condition=None):
            return X

        inverse_transform = transform

    found = SCORES.create("neighbours").fit(Identity(), known).usual(Identity(), asked)
    np.testing.assert_allclose(found, -2 * levels(known, asked, known, "euclidean")[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["neighbours", "ensemble"])
def test_of_the_rows_that_were_looked_at_it_says_what_it_says_of_them_asked_again(name, data):
    known, _, c, _ = data
    score = SCORES.create(name).fit(Linear(), known, c)
    np.testing.assert_array_equal(score.of_known, score.usual(Linear(), known, c))


def test_one_training_row_is_too_few_for_neighbours():
    with pytest.raises(DataError, match="one training row"):
        SCORES.create("neighbours").fit(Linear(), np.ones((1, 4)))


def test_what_a_score_asks_for_is_said():
    dense = {entry.name for entry in SCORES if needs_density(entry.factory)}
    assert dense == {"likelihood", "likelihood-ratio", "typicality", "kl"}
    distances = {entry.name for entry in SCORES if SCORES.create(entry.name).by_distance}
    assert distances == {"ensemble", "neighbours", "reconstruction"}


def test_rows_come_back_from_the_model(data):
    known, _, c, _ = data
    there = rebuilt(Linear(), known, c)
    np.testing.assert_allclose((there - of(c)) @ AXES, (known - of(c)) @ AXES)
    np.testing.assert_allclose(np.linalg.svd(there - of(c))[1][2:], 0, atol=1e-9)
