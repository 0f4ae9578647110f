"""Smoothness of paths whose length and pace are known."""

import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.metrics import path_smoothness


@pytest.fixture
def codes():
    """Three straight paths of 201 points, of lengths 1, 2 and 3."""
    pace = np.linspace(0, 1, 201)
    return np.stack([pace[:, None] * [length, 0.0] for length in (1.0, 2.0, 3.0)])


def test_a_linear_decoder_has_one_scale(codes):
    matrix = np.random.default_rng(0).normal(size=(2, 7))
    found = path_smoothness(codes @ matrix + 5.0, codes)
    assert found.stretch.value == pytest.approx(1)
    assert found.jump.value == pytest.approx(1)
    assert found.lipschitz == pytest.approx(np.linalg.norm(matrix[0]))
    assert found.spread == pytest.approx(1)


def test_a_half_circle_is_longer_by_half_pi(codes):
    angle = np.pi * np.linspace(0, 1, 201)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    found = path_smoothness(np.stack([circle] * 3), codes)
    assert found.stretch.value == pytest.approx(np.pi / 2, rel=1e-4)
    assert found.stretch.error == pytest.approx(0, abs=1e-9)
    assert found.lipschitz == pytest.approx(np.pi / 2, rel=1e-4)


def test_a_known_pace(codes):
    """x = z² along [0, 1]: the derivative is 2 z, its median 1 and its 95th percentile 1.9."""
    found = path_smoothness(codes[:1, :, :1] ** 2, codes[:1, :, :1])
    assert found.stretch.value == pytest.approx(1)
    assert found.jump.value == pytest.approx(2, rel=0.01)
    assert found.lipschitz == pytest.approx(1, rel=0.01)
    assert found.spread == pytest.approx(1.9, rel=0.01)


def test_a_sudden_change_is_one_jump(codes):
    step = (codes[:, :, :1] > 0.5).astype(float)
    assert path_smoothness(step, codes).jump.value == pytest.approx(200)


def test_refusals(codes):
    with pytest.raises(DataError, match="one place"):
        path_smoothness(np.zeros_like(codes), codes)
    with pytest.raises(DataError, match="at least 3 points"):
        path_smoothness(codes[:, :2], codes[:, :2])
