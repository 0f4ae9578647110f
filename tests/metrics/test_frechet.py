"""The Fréchet distance against scipy's matrix root, closed forms, and its stated bias."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from isthmus.errors import DataError
from isthmus.metrics import frechet_distance
from isthmus.metrics.frechet import gaussian_distance


def test_it_is_the_formula_with_scipys_root():
    chance = np.random.default_rng(0)
    x = chance.normal(size=(60, 5)) @ chance.normal(size=(5, 5))
    y = chance.normal(size=(50, 5)) @ chance.normal(size=(5, 5)) + 1.0
    s, t = np.cov(x.T), np.cov(y.T)
    truth = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(x, y) == pytest.approx(truth, rel=1e-9)


def test_closed_forms():
    mean = np.zeros(3)
    s, t = np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 4.0, 1.0])
    # Of commuting covariances: the roots' squared distance.
    assert gaussian_distance(mean, s, mean + 2, t) == pytest.approx(12 + 1 + 0 + 4)
    # Of a singular one.
    assert gaussian_distance(mean, s, mean, np.zeros((3, 3))) == pytest.approx(14)
    x = np.random.default_rng(0).normal(size=(20, 40))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 3.0) == pytest.approx(9 * 40)
    one = np.arange(6.0)
    assert frechet_distance(one, 2 * one) == pytest.approx(2.5**2 + one.std(ddof=1) ** 2)


def test_the_bias_is_as_said():
    """F (F + 5) / (2 N) for N rows of either set of a standard normal."""
    chance = np.random.default_rng(1)
    n, f = 2000, 10
    found = [
        frechet_distance(chance.normal(size=(n, f)), chance.normal(size=(n, f))) for _ in range(40)
    ]
    assert np.mean(found) == pytest.approx(f * (f + 5) / (2 * n), rel=0.1)


def test_refusals():
    with pytest.raises(DataError, match="equally many columns"):
        frechet_distance(np.ones((4, 2)), np.ones((4, 3)))
