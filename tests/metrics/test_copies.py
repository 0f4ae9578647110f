"""Copies of training data are found; a model that has learned the distribution is left alone."""

import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.metrics import memorising


def draw(seed, n=400):
    return np.random.default_rng(seed).normal(size=(n, 3))


def test_by_loops():
    train, held_out, new = draw(0, 30), draw(1, 20), 0.5 * draw(2, 25)

    def nearest(a, points):
        apart = [np.linalg.norm(a - b) for b in points]
        return min(apart), int(np.argmin(apart))

    of_held_out = [nearest(a, train)[0] for a in held_out]
    of_new = [nearest(a, train) for a in new]
    authentic = [distance > nearest(train[i], np.delete(train, i, 0))[0] for distance, i in of_new]
    closer = [[(d < e) + 0.5 * (d == e) for e in of_held_out] for d, _ in of_new]
    found = memorising(train, held_out, new)
    distances = [d for d, _ in of_new]
    assert found.closeness == pytest.approx(np.median(distances) / np.median(of_held_out))
    assert found.closer.value == pytest.approx(np.mean(closer))
    assert found.authentic == pytest.approx(np.mean(authentic))
    assert found.copies == np.mean(np.array(distances) < np.quantile(of_held_out, 0.01))


def test_fixed_points():
    train, held_out = draw(0), draw(1)
    fresh = memorising(train, held_out, draw(2))
    assert fresh.closeness == pytest.approx(1, abs=0.1)
    assert abs(fresh.closer.value - 0.5) < 3 * fresh.closer.error
    assert fresh.authentic == pytest.approx(0.5, abs=0.08)
    assert fresh.copies < 0.04
    copied = memorising(train, held_out, train[:100])
    assert (copied.closeness, copied.closer.value, copied.copies, copied.authentic) == (0, 1, 1, 0)
    half = memorising(train, held_out, np.concatenate([train[:200], draw(3, 200)]))
    assert half.copies == pytest.approx(0.5, abs=0.03)
    far = memorising(train, held_out, draw(2) + 100)
    assert far.closer.value == 0
    assert far.authentic == 1


def test_refusals():
    with pytest.raises(DataError, match="equally many columns"):
        memorising(draw(0), draw(1)[:, :2], draw(2))
