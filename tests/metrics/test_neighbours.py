import numpy as np
import pytest
from sklearn import manifold

from isthmus.errors import DataError, OptionError
from isthmus.metrics import neighbours
from isthmus.metrics.neighbours import continuity, trustworthiness


@pytest.fixture
def pair():
    x = np.random.default_rng(0).normal(size=(120, 6)) + 30
    return x, x[:, :2]


@pytest.mark.parametrize("k", [1, 5, 30])
def test_both_equal_scikit_learns(pair, k):
    x, z = pair
    assert trustworthiness(x, z, k) == pytest.approx(
        manifold.trustworthiness(x, z, n_neighbors=k), rel=1e-12
    )
    assert continuity(x, z, k) == pytest.approx(
        manifold.trustworthiness(z, x, n_neighbors=k), rel=1e-12
    )


def test_the_blocks_do_not_change_the_figure(pair, monkeypatch):
    whole = trustworthiness(*pair, k=7)
    monkeypatch.setattr(neighbours, "BLOCK", 50)
    assert trustworthiness(*pair, k=7) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("metric", [trustworthiness, continuity])
def test_fixed_points(pair, metric):
    x, _ = pair
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    assert metric(x, x) == 1
    assert metric(x, 3 * x @ turn - 5) == 1
    assert metric(x, np.concatenate([x, x], axis=1)) == 1
    noise = np.random.default_rng(2).normal(size=(120, 2))
    assert metric(x, noise) == pytest.approx(0.5, abs=0.06)


def test_which_of_the_two_sees_a_fold_and_which_a_tear():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # Flattening the circle puts far points together; cutting it open tears near ones apart.
    assert trustworthiness(circle, circle[:, :1]) < 0.9
    assert continuity(circle, circle[:, :1]) > 0.97
    assert trustworthiness(circle, angle) > 0.99
    assert continuity(circle, angle) < trustworthiness(circle, angle)


def test_what_has_no_neighbourhoods_is_refused(pair):
    x, z = pair
    with pytest.raises(OptionError, match="k is 60 neighbours of 120 data"):
        trustworthiness(x, z, 60)
    with pytest.raises(DataError, match="data and codes have 120 and 9 rows"):
        continuity(x, z[:9])
