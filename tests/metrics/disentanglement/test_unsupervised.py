"""Dependence among latents against the closed forms, and robustness against a plain loop."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from isthmus.errors import DataError, OptionError
from isthmus.metrics.disentanglement import (
    dependence,
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    irs,
)

RNG = np.random.default_rng(0)


def test_gaussian_scores_are_the_divergences_they_name():
    a = RNG.normal(size=(4, 4))
    s = a @ a.T + 0.1 * np.eye(4)
    d = np.diag(np.diag(s))
    kl = 0.5 * (np.trace(np.linalg.solve(d, s)) - 4 + np.linalg.slogdet(d)[1])
    kl -= 0.5 * np.linalg.slogdet(s)[1]
    assert gaussian_total_correlation(s) == pytest.approx(kl)
    root = sqrtm(d)
    bures = np.trace(s + d - 2 * sqrtm(root @ s @ root)).real
    assert gaussian_wasserstein_correlation(s) == pytest.approx(bures)


def test_two_correlated_normals():
    rho = 0.8
    z = RNG.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=10_000)
    found = dependence(np.column_stack([3 * z[:, 0], z[:, 1], np.full(10_000, 2.0)]))
    assert found.total_correlation == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.03)
    assert found.mutual_information == pytest.approx(found.total_correlation / 3, abs=0.03)
    even = dependence(z)
    expected = 4 - 2 * (np.sqrt(1 + rho) + np.sqrt(1 - rho))
    assert even.wasserstein == pytest.approx(expected, abs=0.03)
    assert even.wasserstein_normalised == pytest.approx(expected / 2, abs=0.02)


def test_independent_duplicated_single_and_constant_latents():
    z = RNG.normal(size=(5000, 3))
    assert max(dependence(z)) < 0.06
    twice = dependence(np.hstack([z, z]))
    assert twice.total_correlation > 10
    assert twice.mutual_information > 0.3
    assert dependence(z[:, :1]) == pytest.approx((0, 0, 0, 0), abs=1e-12)
    assert dependence(np.ones((50, 3))) == (0, 0, 0, 0)
    with pytest.raises(DataError, match="finite"):
        dependence([[np.inf, 1.0]])


def by_hand(z, f, quantile):
    furthest = np.abs(z - z.mean(0)).max(0)
    matrix = np.zeros((z.shape[1], f.shape[1]))
    for k in range(f.shape[1]):
        away = []
        for value in np.unique(f[:, k]):
            part = z[f[:, k] == value]
            away.append(np.quantile(np.abs(part - part.mean(0)), quantile, axis=0))
        matrix[:, k] = 1 - np.mean(away, axis=0) / furthest
    return np.average(matrix.max(1), weights=furthest), matrix


@pytest.mark.parametrize("quantile", [0.99, 0.5, 1.0])
def test_robustness_is_the_loop_s(quantile):
    f = RNG.integers(5, size=(400, 2))
    z = f @ RNG.normal(size=(2, 3)) + 0.3 * RNG.normal(size=(400, 3))
    score, matrix = by_hand(z, f, quantile)
    found = irs(z, f, quantile=quantile)
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-12)
    assert found.score == pytest.approx(score)


def test_robustness_at_its_fixed_points():
    f = RNG.integers(5, size=(400, 2))
    assert irs(np.hstack([f, f, np.ones((400, 1))]), f).score == 1.0
    assert irs(np.hstack([f, np.ones((400, 1))]), f).matrix.shape == (2, 2)
    assert irs(np.ones((400, 2)), f).score == 0.0
    assert irs(RNG.normal(size=(400, 2)), f).score < 0.4
    continuous = RNG.uniform(size=(2000, 2))
    assert irs(continuous, continuous).score > 0.93
    with pytest.raises(OptionError, match="quantile"):
        irs(f, f, quantile=1.5)
