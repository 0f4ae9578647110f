"""Sharpness against scipy's Laplacian, a discrete Fourier transform, and blur."""

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter

from isthmus.errors import DataError
from isthmus.metrics import relative_sharpness
from isthmus.metrics.sharpness import high_energy, laplacian_variance


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 2, 8, 10))


def test_edges_are_the_variance_of_scipys_laplacian(images):
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    truth = np.mean([convolve(p, kernel)[1:-1, 1:-1].var() for image in images for p in image])
    assert laplacian_variance(images) == pytest.approx(truth)


def test_detail_is_the_energy_of_high_waves(images):
    total = 0.0
    rows, columns = np.arange(8)[:, None], np.arange(10)[None]
    for u in range(8):
        for v in range(10):
            fu, fv = min(u, 8 - u) / 8, min(v, 10 - v) / 10
            if np.hypot(fu, fv) > 0.25:
                wave = np.exp(-2j * np.pi * (u * rows / 8 + v * columns / 10))
                total += np.abs((images[:, 0] * wave).sum((1, 2))) ** 2
                total += np.abs((images[:, 1] * wave).sum((1, 2))) ** 2
    # Both channels' energies are averaged.
    assert high_energy(images) == pytest.approx(total.mean() / 2)


def test_fixed_points(images):
    assert relative_sharpness(images, images) == pytest.approx((1, 1))
    assert relative_sharpness(2 * images + 3, images) == pytest.approx((4, 4))
    blurred = np.stack([gaussian_filter(image, (0, 1, 1)) for image in images])
    assert max(relative_sharpness(blurred, images)) < 0.2
    assert relative_sharpness(images[:, 0], images[:, 0]) == pytest.approx((1, 1))


def test_refusals(images):
    with pytest.raises(DataError, match="no edge"):
        relative_sharpness(images, np.ones_like(images))
    with pytest.raises(DataError, match="one size"):
        relative_sharpness(images[..., :5], images)
    with pytest.raises(DataError, match="channels, height, width"):
        relative_sharpness(images[0, 0], images)
