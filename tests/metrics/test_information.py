import math

import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.metrics.information import active_units, bits


def test_bits():
    assert bits(math.log(8)) == pytest.approx(3)
    np.testing.assert_allclose(bits(np.log([2.0, 0.5])), [1, -1])


def test_active_units_by_the_variance_of_the_means():
    # A fair sign times s has variance s².
    signs = np.tile([1.0, -1.0], 50)[:, None]
    means = signs * np.array([1.0, 0.11, 0.09, 0.0]) + 5
    np.testing.assert_array_equal(active_units(means), [True, True, False, False])
    np.testing.assert_array_equal(active_units(means, threshold=0.5), [True, False, False, False])


def test_active_units_keep_the_shape_of_the_code():
    means = np.random.default_rng(0).normal(size=(50, 2, 3))
    means[:, 1, 2] = 0
    assert active_units(means).tolist() == [[True] * 3, [True, True, False]]


def test_active_units_of_no_data_are_refused():
    with pytest.raises(DataError, match=r"\(0, 3\)"):
        active_units(np.zeros((0, 3)))
