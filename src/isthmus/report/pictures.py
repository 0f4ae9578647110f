"""Images as PNG in the page itself: strips, sheets and error maps."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]

LARGEST_SIDE = 64
SMOOTH_FROM = 48  # From this side on, pixels are small enough to be smoothed when scaled.
TOO_BRIGHT, TOO_DARK = (222, 96, 10), (16, 118, 196)
LEVELS = 31
GAMMA = 0.8  # Small errors stay visible on both backgrounds.


def shrink(images: Floats, side: int = LARGEST_SIDE) -> Floats:
    """Images (n, C, H, W) whose sides are at most `side`, by the means of square blocks."""
    factor = -(-max(images.shape[2:]) // side)
    if factor == 1:
        return images
    n, channels, height, width = images.shape
    height, width = height // factor, width // factor
    cut = images[:, :, : height * factor, : width * factor]
    return cut.reshape(n, channels, height, factor, width, factor).mean((3, 5))


def opaque(images: Floats) -> Bytes:
    """Images (n, C, H, W) in [0, 1] as opaque (n, H, W, 4); all but three channels become grey."""
    images = np.nan_to_num(images, nan=0.0)
    colour = images if images.shape[1] == 3 else np.repeat(images.mean(1, keepdims=True), 3, axis=1)
    levels = np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.concatenate([levels, np.full((*levels.shape[:3], 1), 255, np.uint8)], axis=3)


def signed(errors: Floats, full: float) -> Bytes:
    """Errors (n, C, H, W) as (n, H, W, 4): orange above, blue below, else transparent."""
    error = np.nan_to_num(errors).mean(1)
    alpha = np.rint(np.clip(np.abs(error) / full, 0, 1) ** GAMMA * LEVELS) * (255 / LEVELS)
    colour = np.where(error[..., None] > 0, np.array(TOO_BRIGHT), np.array(TOO_DARK))
    colour = np.where(alpha[..., None] > 0, colour, 0)
    return np.concatenate([colour, alpha[..., None]], axis=3).astype(np.uint8)


def sheet(images: Bytes, columns: int) -> Bytes:
    """Images (n, H, W, 4) row by row on one transparent sheet, a narrow gap between them."""
    n, height, width, _ = images.shape
    gap = max(1, width // 14)
    rows = -(-n // columns)
    page = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        page[top : top + height, left : left + width] = image
    return page


def framed(images: Bytes) -> Bytes:
    """Images (n, H, W, 4) in one row, the first and the last at a distance from the others."""
    apart = np.zeros((images.shape[1], max(2, images.shape[2] // 4), 4), np.uint8)
    inside = sheet(images[1:-1], len(images) - 2)
    return np.concatenate([images[0], apart, inside, apart, images[-1]], axis=1)


def png(page: Bytes) -> bytes:
    """A sheet as PNG; grey ones take a grey format."""
    from PIL import Image

    colours = page[..., :3]
    grey = bool((colours == colours[..., :1]).all())
    image = Image.fromarray(page[..., [0, 3]] if grey else page)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def img(page: Bytes, alt: str, side: int, look: str = "") -> Markup:
    """An `<img>` of a sheet whose images have this side in pixels."""
    height, width = page.shape[:2]
    scaling = "smooth" if side >= SMOOTH_FROM else "pixels"
    return Markup(
        '<img class="{}" width="{}" height="{}" alt="{}" src="data:image/png;base64,{}">'
    ).format(
        f"{scaling} {look}".strip(),
        width,
        height,
        alt,
        base64.b64encode(png(page)).decode(),
    )
