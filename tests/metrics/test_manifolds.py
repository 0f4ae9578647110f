"""Precision, recall, density and coverage against loops over their definitions."""

import numpy as np
import pytest

from isthmus.errors import DataError, OptionError
from isthmus.metrics import prdc


def by_loops(x, y, k):
    def ball(points, i):
        return sorted(np.linalg.norm(points[i] - q) for j, q in enumerate(points) if j != i)[k - 1]

    reach_x = [ball(x, i) for i in range(len(x))]
    reach_y = [ball(y, j) for j in range(len(y))]
    apart = [[np.linalg.norm(a - b) for b in y] for a in x]
    in_any = [any(apart[i][j] <= reach_x[i] for i in range(len(x))) for j in range(len(y))]
    recall = np.mean([any(apart[i][j] <= reach_y[j] for j in range(len(y))) for i in range(len(x))])
    density = sum(apart[i][j] <= reach_x[i] for i in range(len(x)) for j in range(len(y)))
    coverage = np.mean([min(apart[i]) <= reach_x[i] for i in range(len(x))])
    return np.mean(in_any), recall, density / (k * len(y)), coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_are_the_definitions(k):
    chance = np.random.default_rng(k)
    x, y = chance.normal(size=(40, 3)), 0.7 * chance.normal(size=(30, 3)) + 0.3
    found = prdc(x, y, k)
    np.testing.assert_allclose(found, by_loops(x, y, k), atol=1e-12)


@pytest.mark.parametrize("block", [1, 7])
def test_blocks_do_not_matter(monkeypatch, block):
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(50, 2)), chance.normal(size=(60, 2))
    whole = prdc(x, y)
    monkeypatch.setattr("isthmus.metrics.manifolds.BLOCK", block)
    assert prdc(x, y) == whole


def test_fixed_points():
    chance = np.random.default_rng(0)
    x = chance.normal(size=(1500, 4))
    same = prdc(x, chance.normal(size=(1500, 4)), k=5)
    assert same.density == pytest.approx(1.0, abs=0.06)
    assert same.coverage == pytest.approx(1 - 0.5**5, abs=0.03)
    assert prdc(x, x + 1000.0) == (0.0, 0.0, 0.0, 0.0)
    narrow = prdc(x, 0.1 * chance.normal(size=(1500, 4)))
    assert narrow.precision == 1.0
    assert narrow.recall < 0.05
    assert narrow.coverage < 0.2
    assert prdc(x[:20], x[:20])[:2] == (1.0, 1.0)


def test_an_outlier_with_a_wide_ball_misleads_precision_but_not_coverage():
    """The example of Naeem et al.: one far real datum makes any sample in its ball plausible."""
    chance = np.random.default_rng(1)
    x = np.concatenate([chance.normal(size=(200, 2)), [[100.0, 0.0]]])
    y = chance.normal(size=(200, 2)) + np.array([50.0, 0.0])
    found = prdc(x, y, k=1)
    assert found.precision > 0.4
    assert found.density < 0.01 * 200
    assert found.coverage < 0.02


def test_refusals():
    x = np.ones((5, 2))
    with pytest.raises(OptionError, match="k is 5"):
        prdc(x, x)
    with pytest.raises(DataError, match="one space"):
        prdc(x, np.ones((5, 3)), k=2)
