import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from isthmus.errors import DataError
from isthmus.metrics.reconstruction import mae, r2, rmse


@pytest.fixture
def pair():
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3, 2, 2)) * random.uniform(0.1, 5, size=(3, 2, 2)) + 7
    return x, x + random.normal(size=x.shape)


def flat(x):
    return x.reshape(len(x), -1)


def test_r2_is_the_variance_weighted_one(pair):
    expected = r2_score(*map(flat, pair), multioutput="variance_weighted")
    assert r2(*pair) == pytest.approx(expected, rel=1e-12)


def test_r2_per_column_is_the_uniform_average(pair):
    expected = r2_score(*map(flat, pair), multioutput="uniform_average")
    assert r2(*pair, per_column=True) == pytest.approx(expected, rel=1e-12)


def test_r2_per_column_leaves_constant_columns_out(pair):
    x, x_hat = map(flat, pair)
    wide, wide_hat = np.insert(x, 2, 0.1, axis=1), np.insert(x_hat, 2, 0.3, axis=1)
    assert r2(wide, wide_hat, per_column=True) == pytest.approx(r2(x, x_hat, per_column=True))


@pytest.mark.parametrize("per_column", [False, True])
def test_r2_at_its_fixed_points(pair, per_column):
    x = pair[0]
    assert r2(x, x, per_column) == 1
    assert r2(x, np.broadcast_to(x.mean(0), x.shape), per_column) == pytest.approx(0, abs=1e-12)
    assert r2(x, 2 * x.mean(0) - x, per_column) == pytest.approx(-3)


@pytest.mark.parametrize("per_column", [False, True])
def test_r2_of_constant_data(per_column):
    x = np.full((7, 2), 0.1)
    assert r2(x, x, per_column) == 1
    assert r2(x, x + 1, per_column) == 0


def test_r2_does_not_change_when_the_data_are_doubled(pair):
    twice = [np.concatenate([a, a]) for a in pair]
    assert r2(*twice) == pytest.approx(r2(*pair), rel=1e-12)


def test_rmse_and_mae(pair):
    x, x_hat = map(flat, pair)
    assert rmse(*pair) == pytest.approx(np.sqrt(mean_squared_error(x, x_hat)), rel=1e-12)
    assert mae(*pair) == pytest.approx(mean_absolute_error(x, x_hat), rel=1e-12)
    assert rmse(x, x) == mae(x, x) == 0
    assert rmse(x, x + 2) == pytest.approx(2)


def test_float32_is_summed_in_float64():
    x = np.full((200_000, 1), 0.1, dtype=np.float32)
    assert mae(x, np.zeros_like(x)) == pytest.approx(np.float32(0.1), rel=1e-12)


@pytest.mark.parametrize("metric", [r2, rmse, mae])
def test_what_cannot_be_compared_is_refused(metric):
    with pytest.raises(DataError, match=r"\(3, 2\) and the data have \(3, 4\)"):
        metric(np.zeros((3, 4)), np.zeros((3, 2)))
    with pytest.raises(DataError, match="nan in row 1, column 0"):
        metric(np.zeros((2, 1)), np.array([[0.0], [np.nan]]))
    with pytest.raises(DataError, match="at least one row"):
        metric(np.zeros((0, 4)), np.zeros((0, 4)))
