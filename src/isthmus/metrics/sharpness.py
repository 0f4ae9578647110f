"""How sharp images are: the energy of their edges, relative to that of the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows

# In cycles per pixel: half of the highest frequency.
HIGH = 0.25


class Sharpness(NamedTuple):
    """Sharpness relative to that of the data, of which either figure is 1.

    Args:
        edges: Ratio of the mean variances of the Laplacian.
        detail: Ratio of the mean energies at spatial frequencies above half of the highest.
    """

    edges: float
    detail: float


def relative_sharpness(images: ArrayLike, data: ArrayLike) -> Sharpness:
    """How sharp reconstructions or samples are beside data: below 1 is blurred, above 1 noisy.

    Args:
        images: (N, C, H, W) or (N, H, W) that are judged, H and W at least 3.
        data: (M, C, H, W) or (M, H, W) in the same units.

    Raises:
        DataError: They are not images, differ in size, or hold no edge at all; or a value is not
            finite.

    Reference:
        Tolstikhin et al., Wasserstein Auto-Encoders, 1711.01558, section 4 (the Laplacian's
        variance).
    """
    judged, real = _pictures(images, "images"), _pictures(data, "data")
    if judged.shape[1:] != real.shape[1:]:
        raise DataError(
            f"The images are {judged.shape[1:]} and the data {real.shape[1:]}; both need one size."
        )
    figures = []
    for measure in (laplacian_variance, high_energy):
        of_data = measure(real)
        if of_data == 0:
            raise DataError("The data hold no edge at all; there is no sharpness to compare with.")
        figures.append(measure(judged) / of_data)
    return Sharpness(*figures)


def laplacian_variance(images: Floats) -> float:
    """The mean over pictures (N, C, H, W) of the variance of their Laplacian, ends left out."""
    middle = images[..., 1:-1, 1:-1]
    above_and_below = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    beside = images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    edges = (above_and_below + beside - 4.0 * middle).reshape(len(images) * images.shape[1], -1)
    return float(edges.var(1).mean())


def high_energy(images: Floats) -> float:
    """The mean energy of pictures (N, C, H, W) above a quarter of a cycle per pixel."""
    spectrum = np.square(np.abs(np.fft.fft2(images)))
    rows, columns = (np.fft.fftfreq(size) for size in images.shape[-2:])
    radius = np.hypot(rows[:, None], columns[None])
    return float(spectrum[..., radius > HIGH].sum(-1).mean())


def _pictures(values: ArrayLike, what: str) -> Floats:
    pictures = np.asarray(values, dtype=np.float64)
    if pictures.ndim == 3:
        pictures = pictures[:, None]
    if pictures.ndim != 4 or min(pictures.shape[-2:]) < 3:
        raise DataError(
            f"The {what} have shape {pictures.shape}; expected (N, channels, height, width) of at "
            "least 3 × 3."
        )
    return as_rows(pictures, what).reshape(pictures.shape)
