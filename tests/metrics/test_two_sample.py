import numpy as np
import pytest
from scipy import stats

from isthmus.errors import DataError
from isthmus.metrics.estimates import Estimate
from isthmus.metrics.two_sample import two_sample_auc, two_sample_p


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_distributions_are_not_told_apart(seed):
    area, error = two_sample_auc(normal(seed, 400, 2, 3), normal(seed + 10, 500, 2, 3), seed)
    assert abs(area - 0.5) < 3 * error
    # The null variance of the area is (m + n + 1) / 12 m n.
    assert error == pytest.approx(np.sqrt(901 / (12 * 400 * 500)), rel=0.1)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_a_shifted_gaussian_reaches_the_best_possible_area(shift):
    generated = normal(1, 1000, 4) + shift / 2
    area, error = two_sample_auc(normal(0, 1000, 4), generated, seed=0)
    best = stats.norm.cdf(shift / np.sqrt(2))
    assert best - 0.05 < area < best + 3 * error


def test_equal_moments_of_another_shape_are_told_apart():
    ring = normal(0, 500, 2)
    ring *= np.sqrt(2) / np.linalg.norm(ring, axis=1, keepdims=True)
    assert two_sample_auc(ring, normal(1, 500, 2), seed=0).value > 0.8


def test_a_difference_of_dependence_is_told_apart():
    x = normal(0, 800, 2)
    x[:, 1] = x[:, 0] * np.sign(normal(2, 800))
    assert two_sample_auc(x, normal(1, 800, 2), seed=0).value > 0.8


def test_disjoint_sets_have_area_one():
    area, error = two_sample_auc(normal(0, 50, 3), normal(1, 60, 3) + 100, seed=0)
    assert (area, error) == (1, 0)


def test_constant_columns_do_no_harm():
    x, y = normal(0, 60, 3), normal(1, 60, 3)
    x[:, 1] = y[:, 1] = 4
    assert np.isfinite(two_sample_auc(x, y, seed=0)).all()


def test_it_depends_on_its_seed_alone():
    x, y = normal(0, 80, 3), normal(1, 80, 3)
    before = np.random.get_state()[1].copy()
    first = two_sample_auc(x, y, seed=3, max_rows=50)
    assert two_sample_auc(x, y, seed=3, max_rows=50) == first
    assert two_sample_auc(x, y, seed=4, max_rows=50) != first
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match=r"\(9, 2\) and the generated ones \(9, 3\)"):
        two_sample_auc(normal(0, 9, 2), normal(1, 9, 3), seed=0)
    with pytest.raises(DataError, match="at least 5 rows"):
        two_sample_auc(normal(0, 9, 2), normal(1, 4, 2), seed=0)


def test_p_is_the_tail_of_a_normal():
    assert two_sample_p(Estimate(0.5, 0.02)) == pytest.approx(0.5)
    assert two_sample_p(Estimate(0.55, 0.02)) == pytest.approx(stats.norm.sf(2.5))
    assert two_sample_p(Estimate(0.47, 0.02)) == pytest.approx(stats.norm.sf(-1.5))
    assert two_sample_p(Estimate(1.0, 0.0)) == 0.0
    shifted = two_sample_auc(normal(0, 200, 2), normal(1, 200, 2) + 1.0, 0)
    assert two_sample_p(shifted) < 1e-6
