"""Logistic regression against scikit-learn's, weight for weight."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from isthmus.metrics.disentanglement.logistic import FEW_WEIGHTS, Logistic

RNG = np.random.default_rng(0)


def problem(rows, width, classes):
    z = RNG.normal(size=(rows, width))
    scores = z @ RNG.normal(size=(width, classes)) + RNG.gumbel(size=(rows, classes))
    return z, 3 * scores.argmax(1) - 1


# In the third few of the rows begin; in the last L-BFGS finds the weights, and stops sooner.
@pytest.mark.parametrize(
    ("rows", "width", "classes"), [(300, 3, 2), (400, 4, 5), (5000, 3, 4), (500, 20, 12)]
)
@pytest.mark.parametrize("price", [1e-3, 1.0])
def test_the_minimum_is_scikit_learn_s(rows, width, classes, price):
    z, y = problem(rows, width, classes)
    ours = Logistic.fit(z, y, price)
    theirs = LogisticRegression(C=price, tol=1e-8, max_iter=5000).fit(z, y)
    assert ours.classes.tolist() == theirs.classes_.tolist()
    few = (width + 1) * classes <= FEW_WEIGHTS
    known = theirs.predict_proba(z)
    np.testing.assert_allclose(ours.scores(z), known, atol=2e-4 if few else 5e-3)
    assert (ours.predict(z) == theirs.predict(z)).mean() > 0.99
    if few:
        known = np.vstack([theirs.coef_.T, theirs.intercept_])
        np.testing.assert_allclose(ours.weights, known, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("price", [1.0, 1e4])
def test_classes_that_a_line_parts_are_told_apart(price):
    z = np.repeat([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], 30, axis=0)
    y = np.repeat([4, 5, 9], 30)
    ours = Logistic.fit(z, y, price)
    assert (ours.predict(z) == y).all()
    theirs = LogisticRegression(C=price, tol=1e-10, max_iter=10_000).fit(z, y)
    np.testing.assert_allclose(ours.scores(z), theirs.predict_proba(z), atol=1e-3)
    assert (ours.weights[1] == 0).all()


def test_a_class_missing_among_the_first_rows_is_learnt_from_the_rest():
    z, y = problem(6000, 2, 3)
    y[::6] = 0
    y[1::6] = 7
    ours = Logistic.fit(z, y)
    theirs = LogisticRegression(tol=1e-8, max_iter=1000).fit(z, y)
    np.testing.assert_allclose(ours.scores(z), theirs.predict_proba(z), atol=1e-4)


@pytest.mark.parametrize("price", [1.0, 1e4])
def test_many_rows_that_a_line_parts(price):
    y = RNG.integers(4, size=5000)
    z = np.column_stack([y - 1.5, RNG.normal(size=5000)])
    ours = Logistic.fit(z, y, price)
    theirs = LogisticRegression(C=price, tol=1e-10, max_iter=10_000).fit(z, y)
    np.testing.assert_allclose(ours.scores(z), theirs.predict_proba(z), atol=1e-3)


def test_two_classes_of_many_rows():
    z, y = problem(5000, 3, 2)
    theirs = LogisticRegression(tol=1e-8, max_iter=5000).fit(z, y)
    known = np.vstack([theirs.coef_.T, theirs.intercept_])
    np.testing.assert_allclose(Logistic.fit(z, y).weights, known, atol=2e-4)
