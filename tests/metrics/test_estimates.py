import math

import numpy as np
import pytest
from scipy import stats

from isthmus.errors import DataError, OptionError
from isthmus.metrics.estimates import interval, mean_and_error, standard_error

VALUES = np.random.default_rng(0).normal(size=9)


def test_standard_error():
    assert standard_error(VALUES) == pytest.approx(stats.sem(VALUES), rel=1e-12)
    assert standard_error(np.ones(4)) == 0


def test_mean_and_error():
    value, error = mean_and_error(VALUES)
    assert value == pytest.approx(np.mean(VALUES))
    assert error == standard_error(VALUES)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_interval_is_students(level):
    expected = stats.t.interval(level, len(VALUES) - 1, loc=VALUES.mean(), scale=stats.sem(VALUES))
    assert interval(VALUES, level) == pytest.approx(expected, rel=1e-12)


def test_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(3.0, 2.0, size=(1000, 4))
    covered = [low < 3 < high for low, high in map(interval, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_one_value_says_nothing_of_its_spread():
    assert mean_and_error([2.0]).value == 2
    assert math.isnan(standard_error([2.0]))
    assert all(map(math.isnan, interval([2.0])))


def test_what_has_no_interval_is_refused():
    with pytest.raises(OptionError, match="level is 95"):
        interval(VALUES, level=95)
    with pytest.raises(DataError, match="no values"):
        interval([])
