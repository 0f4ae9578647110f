"""Structural similarity against scikit-image, torchmetrics and the naive definition."""

import numpy as np
import pytest
import torch

from isthmus.ssim import SCALE_WEIGHTS, fitting_scales, multi_scale_similarity, similarity

pytestmark = pytest.mark.usefixtures("float64")


def pictures(height, width, channels=1, n=2):
    smooth = torch.nn.functional.interpolate(
        torch.rand(n, channels, 6, 6), (height, width), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    return smooth, (0.8 * smooth + 0.1 * torch.rand_like(smooth)).clamp(0, 1)


def naive_ssim(a, b, window):
    """One channel: the definition, window by window."""
    place = np.arange(window) - (window - 1) / 2
    line = np.exp(-0.5 * (place / 1.5) ** 2)
    weights = np.outer(line, line) / line.sum() ** 2
    found = []
    for i in range(a.shape[0] - window + 1):
        for j in range(a.shape[1] - window + 1):
            p, q = a[i : i + window, j : j + window], b[i : i + window, j : j + window]
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            var_p = (weights * (p - mean_p) ** 2).sum()
            var_q = (weights * (q - mean_q) ** 2).sum()
            cov = (weights * (p - mean_p) * (q - mean_q)).sum()
            luminance = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
            found.append(luminance * (2 * cov + 9e-4) / (var_p + var_q + 9e-4))
    return np.mean(found)


def test_ssim_is_its_definition():
    a, b = pictures(16, 14, channels=2)
    found, _ = similarity(a, b)
    for n in range(2):
        for c in range(2):
            expected = naive_ssim(a[n, c].numpy(), b[n, c].numpy(), 11)
            assert found[n, c].item() == pytest.approx(expected, rel=1e-10)


def test_ssim_is_scikit_image_s():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pictures(40, 33, n=1)
    _, whole = metrics.structural_similarity(
        a[0, 0].numpy(), b[0, 0].numpy(), gaussian_weights=True, sigma=1.5, truncate=3.5,
        use_sample_covariance=False, data_range=1.0, full=True,
    )  # fmt: skip
    found, _ = similarity(a, b)
    assert found.item() == pytest.approx(whole[5:-5, 5:-5].mean(), rel=1e-6)


def test_at_five_scales_it_is_torchmetrics_s():
    functional = pytest.importorskip("torchmetrics.functional.image")
    a, b = pictures(176, 180)
    expected = functional.multiscale_structural_similarity_index_measure(
        a, b, data_range=1.0, reduction="none", betas=SCALE_WEIGHTS, normalize="relu"
    )
    # Their coarsest scale also counts windows that reach over the reflected border.
    torch.testing.assert_close(multi_scale_similarity(a, b), expected, atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((176, 300), (5, 11)),
        ((175, 300), (4, 11)),
        ((28, 28), (2, 11)),
        ((22, 40), (2, 11)),
        ((21, 40), (1, 11)),
        ((8, 8), (1, 7)),
        ((7, 5), (1, 5)),
        ((2, 9), (1, 1)),
    ],
)
def test_small_images_use_fewer_scales_and_a_smaller_window(size, expected):
    assert fitting_scales(*size) == expected
    a, b = pictures(*size)
    torch.testing.assert_close(multi_scale_similarity(a, a), torch.ones(2))
    assert (multi_scale_similarity(a, b) < 1).all()


def test_two_scales_are_structure_at_the_fine_one_and_all_at_the_coarse_one():
    a, b = pictures(28, 24)
    fine = similarity(a, b)[1]
    halved = [torch.nn.functional.avg_pool2d(t, 2) for t in (a, b)]
    coarse = torch.tensor([[naive_ssim(*(t[n, 0].numpy() for t in halved), 11)] for n in range(2)])
    first = SCALE_WEIGHTS[0] / sum(SCALE_WEIGHTS[:2])
    expected = (fine**first * coarse ** (1 - first))[:, 0]
    torch.testing.assert_close(multi_scale_similarity(a, b), expected)


def test_opposed_images_have_a_finite_gradient():
    a = torch.rand(1, 1, 28, 28)
    b = (1.0 - a).requires_grad_()
    multi_scale_similarity(a, b).sum().backward()
    assert b.grad.isfinite().all()
