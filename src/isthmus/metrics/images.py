"""How near pictures come to what they stand for: peak signal-to-noise ratio and structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.ssim import fitting_scales, multi_scale_similarity, similarity

# Numbers of pictures that are held at once, in float64 and a few times over.
CHUNK_ELEMENTS = 1 << 21


def psnr(x: ArrayLike, x_hat: ArrayLike, data_range: float) -> Floats:
    r"""The peak signal-to-noise ratio of each datum, in decibels.

    .. math::
        10 \log_{10} (R^2 / \mathrm{mean}_i (x_i - \hat x_i)^2)

    The mean of these over images is the figure that is usual in print; it is larger than the ratio
    at the mean squared error of all images together.

    Args:
        x: (N, *D) data.
        x_hat: (N, *D) their reconstructions.
        data_range: R, the white level less the black one: 1 for values in [0, 1], 2 for [-1, 1],
            255 for bytes.

    Returns:
        (N,) decibels; infinite where a datum comes back exactly.

    Raises:
        DataError: The shapes differ, or a value is not finite.
        OptionError: The range is not positive.
    """
    _check_range(data_range)
    if np.shape(x) != np.shape(x_hat):
        raise _apart(np.shape(x), np.shape(x_hat))
    errors = np.square(as_rows(x, "data") - as_rows(x_hat, "reconstructions")).mean(1)
    with np.errstate(divide="ignore"):
        ratios: Floats = 10.0 * np.log10(data_range**2 / errors)
    return ratios


def ssim(x: ArrayLike, x_hat: ArrayLike, data_range: float) -> Floats:
    """The structural similarity of each image, the mean over windows and channels.

    Windows are Gaussian, of standard deviation 1.5 and side 11, or the largest odd side that fits
    into a smaller image; those that fit wholly count, and covariances are those of the window
    itself.

    Args:
        x: (N, C, H, W) images.
        x_hat: (N, C, H, W) their reconstructions.
        data_range: R, the white level less the black one; 1 for values in [0, 1]. The constants
            that keep dark and flat windows steady grow with it.

    Returns:
        (N,), 1 for equal images, below 0 for opposed ones.

    Raises:
        DataError: They are no images, differ in shape, or a value is not finite.
        OptionError: The range is not positive.

    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004.
    """

    def alike(a: Tensor, b: Tensor) -> Tensor:
        _, window = fitting_scales(a.shape[-2], a.shape[-1])
        return similarity(a, b, window)[0].mean(1)

    return _by_image(x, x_hat, data_range, alike)


def ms_ssim(x: ArrayLike, x_hat: ArrayLike, data_range: float) -> Floats:
    """The multi-scale structural similarity of each image, the mean over channels.

    Five scales where the image has room for them, from a side of 176 pixels on; fewer, whose
    weights are scaled to sum to one, in smaller images. Figures of images of different sizes are
    then not of one kind.

    Args:
        x: (N, C, H, W) images.
        x_hat: (N, C, H, W) their reconstructions.
        data_range: R, the white level less the black one; 1 for values in [0, 1].

    Returns:
        (N,) from 0 to 1, which equal images have.

    Raises:
        DataError: They are no images, differ in shape, or a value is not finite.
        OptionError: The range is not positive.

    Reference:
        Wang, Simoncelli & Bovik, Multi-Scale Structural Similarity for Image Quality Assessment,
        2003.
    """
    return _by_image(x, x_hat, data_range, multi_scale_similarity)


def _by_image(
    x: ArrayLike, x_hat: ArrayLike, data_range: float, alike: Callable[[Tensor, Tensor], Tensor]
) -> Floats:
    _check_range(data_range)
    a, b = (np.asarray(values, dtype=np.float64) for values in (x, x_hat))
    if a.shape != b.shape:
        raise _apart(a.shape, b.shape)
    if a.ndim != 4 or a.size == 0:
        raise DataError(
            f"The images have shape {a.shape}; expected (N, channels, height, width), N at least 1."
        )
    for values, what in ((a, "images"), (b, "reconstructions")):
        as_rows(values, what)
    rows = max(1, CHUNK_ELEMENTS // a[0].size)
    found = [
        alike(torch.as_tensor(first), torch.as_tensor(second))
        for first, second in (
            (a[i : i + rows] / data_range, b[i : i + rows] / data_range)
            for i in range(0, len(a), rows)
        )
    ]
    result: Floats = torch.cat(found).numpy()
    return result


def _check_range(data_range: float) -> None:
    if not data_range > 0:
        raise OptionError(
            f"data_range={data_range}: the white level less the black one is above 0, such as 1 "
            "for values in [0, 1]."
        )


def _apart(shape: tuple[int, ...], other: tuple[int, ...]) -> DataError:
    return DataError(
        f"The reconstructions have shape {other} and the data have {shape}; they must be equal."
    )
