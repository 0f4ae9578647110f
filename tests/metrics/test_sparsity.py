"""Sparsity counted by hand, variance by scikit-learn, directions at their fixed points."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import explained_variance_score

from isthmus.errors import DataError
from isthmus.metrics import dead_share, explained_variance, l0, latent_density, mean_max_cosine

CODES = np.array([[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0], [0.0, 1e-9, 0.0, 1.0]])


def test_counts():
    assert l0(CODES) == pytest.approx(5 / 3)
    np.testing.assert_allclose(latent_density(CODES), [0, 2 / 3, 0, 1])
    assert dead_share(CODES) == 0.5


def test_explained_variance_is_scikit_learns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)) * [1.0, 2.0, 5.0]
    x_hat = x + rng.normal(size=x.shape) + 0.7
    expected = explained_variance_score(x, x_hat, multioutput="variance_weighted")
    assert explained_variance(x, x_hat) == pytest.approx(expected)
    assert explained_variance(x, x + 1.0) == pytest.approx(1.0)
    with pytest.raises(DataError, match="do not vary"):
        explained_variance(np.ones((3, 2)), np.ones((3, 2)))


def test_cosines():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4, 6))
    learned = np.concatenate([rng.normal(size=(9, 6)), 7.0 * truth[::-1], np.zeros((1, 6))])
    assert mean_max_cosine(learned, truth) == pytest.approx(1.0)
    best = [max(a @ b / np.sqrt((a @ a) * (b @ b)) for b in learned[:9]) for a in truth]
    assert mean_max_cosine(learned[:9], truth) == pytest.approx(np.mean(best))
    assert mean_max_cosine(-np.eye(2), np.eye(2)) == 0.0
