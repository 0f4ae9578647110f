"""Fidelity of images against scikit-image, torchmetrics and closed forms."""

import numpy as np
import pytest
import torch

from isthmus.errors import DataError, OptionError
from isthmus.metrics import ms_ssim, psnr, ssim


def noisy(shape: tuple[int, ...], noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random(shape)
    return x, np.clip(x + rng.normal(0.0, noise, shape), 0.0, 1.0)


@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
def test_psnr_is_that_of_scikit_image(data_range):
    from skimage.metrics import peak_signal_noise_ratio

    x, y = (values * data_range for values in noisy((5, 3, 12, 14)))
    expected = [
        peak_signal_noise_ratio(a, b, data_range=data_range) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(psnr(x, y, data_range), expected, rtol=1e-12)


def test_psnr_of_known_errors():
    x = np.zeros((3, 1, 4, 4))
    y = x + np.array([0.1, 0.01, 0.0])[:, None, None, None]
    np.testing.assert_allclose(psnr(x, y, 1.0), [20.0, 40.0, np.inf])
    # Twice the range is as if the error were half.
    assert psnr(x, y, 2.0)[0] == pytest.approx(20.0 + 20.0 * np.log10(2.0))


@pytest.mark.parametrize("shape", [(4, 1, 24, 31), (3, 3, 40, 16)])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_ssim_is_that_of_scikit_image(shape, data_range):
    from skimage.metrics import structural_similarity

    x, y = (values * data_range for values in noisy(shape))
    expected = [
        structural_similarity(
            a,
            b,
            channel_axis=0,
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y, data_range), expected, rtol=1e-9)


def test_ms_ssim_is_that_of_torchmetrics_in_any_range():
    from scipy.ndimage import gaussian_filter
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    x = gaussian_filter(np.random.default_rng(0).random((3, 1, 180, 192)), (0, 0, 9, 9))
    x = (x - x.min()) / (x.max() - x.min())
    y = 0.8 * x + 0.1 * np.random.default_rng(1).random(x.shape)
    expected = multiscale_structural_similarity_index_measure(
        torch.as_tensor(x), torch.as_tensor(y), data_range=1.0, reduction="none"
    )
    # Their coarsest scale also counts windows that reach over the reflected border.
    np.testing.assert_allclose(ms_ssim(x, y, 1.0), expected.numpy(), atol=5e-4)
    np.testing.assert_allclose(ms_ssim(255 * x, 255 * y, 255.0), ms_ssim(x, y, 1.0), rtol=1e-12)


@pytest.mark.parametrize("side", [5, 12, 30, 200])
def test_equal_images_are_alike_and_inverted_ones_are_not(side):
    x = np.random.default_rng(1).random((2, 3, side, side))
    for alike in (ssim, ms_ssim):
        np.testing.assert_allclose(alike(x, x, 1.0), 1.0, rtol=1e-12)
        assert (alike(x, 1.0 - x, 1.0) < 0.1).all()


def test_many_images_are_taken_in_parts(monkeypatch):
    x, y = noisy((7, 1, 16, 16))
    whole = ms_ssim(x, y, 1.0)
    monkeypatch.setattr("isthmus.metrics.images.CHUNK_ELEMENTS", 2 * 256)
    np.testing.assert_array_equal(ms_ssim(x, y, 1.0), whole)


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_what_cannot_be_compared_is_refused(measure):
    x, y = noisy((2, 1, 8, 8))
    with pytest.raises(DataError, match="must be equal"):
        measure(x, y[:1], 1.0)
    with pytest.raises(OptionError, match="data_range=0"):
        measure(x, y, 0)
    y[1, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="nan in row 1"):
        measure(x, y, 1.0)


@pytest.mark.parametrize("measure", [ssim, ms_ssim])
def test_structure_takes_images(measure):
    with pytest.raises(DataError, match="height"):
        measure(np.zeros((3, 8)), np.zeros((3, 8)), 1.0)
