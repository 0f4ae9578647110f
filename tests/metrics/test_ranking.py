import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from isthmus.metrics.ranking import placements


@pytest.mark.parametrize("decimals", [9, 0])
def test_both_placements_average_to_the_area_under_the_curve(decimals):
    random = np.random.default_rng(0)
    positive = random.random(300) < 0.3
    scores = np.round(random.normal(size=300) + positive, decimals)
    expected = roc_auc_score(positive, scores)
    for placement in placements(scores, positive):
        assert placement.mean() == pytest.approx(expected, rel=1e-12)


def test_placements_count_the_pairs_one_by_one():
    high, low = np.array([1.0, 3.0, 3.0]), np.array([0.0, 3.0])
    positive = np.array([True, True, True, False, False])
    of_high, of_low = placements(np.concatenate([high, low]), positive)
    wins = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    np.testing.assert_allclose(of_high, wins.mean(1))
    np.testing.assert_allclose(of_low, wins.mean(0))


def test_their_variance_is_that_of_the_area():
    random, positive = np.random.default_rng(0), np.arange(100) < 60
    areas, errors = [], []
    for _ in range(400):
        pair = placements(random.normal(size=100) + positive, positive)
        areas.append(pair[0].mean())
        errors.append(np.sqrt(sum(p.var(ddof=1) / len(p) for p in pair)))
    assert np.mean(areas) == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.01)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.15)
