"""Images come back from their PNG as they went in."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from isthmus.report.pictures import TOO_BRIGHT, TOO_DARK, img, opaque, png, sheet, shrink, signed


def decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_survives_the_png(channels: int) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (5, channels, 4, 6))
    page = sheet(opaque(levels / 255), 3)
    assert page.shape == (2 * 4 + 1, 3 * 6 + 2, 4)
    read = decode(png(page))
    # The fifth image is the second of the second row.
    expected = np.broadcast_to(levels[4].transpose(1, 2, 0), (4, 6, 3))
    assert (read[5:9, 7:13, :3] == expected).all()
    assert (read[5:9, 7:13, 3] == 255).all()
    assert (read[4, :, 3] == 0).all()


def test_errors_have_a_sign_and_a_size() -> None:
    errors = np.array([0.0, 0.5, -0.5, 2.0]).reshape(1, 1, 1, 4)
    drawn = signed(errors, 0.5)[0, 0]
    assert drawn[0].tolist() == [0, 0, 0, 0]
    assert drawn[1].tolist() == [*TOO_BRIGHT, 255] == drawn[3].tolist()
    assert drawn[2].tolist() == [*TOO_DARK, 255]


def test_large_images_shrink_to_block_means() -> None:
    images = np.arange(2 * 130 * 128, dtype=float).reshape(2, 1, 130, 128)
    small = shrink(images)
    assert small.shape == (2, 1, 43, 42)
    assert small[0, 0, 0, 0] == images[0, 0, :3, :3].mean()
    assert shrink(images[..., :64, :64]).shape == (2, 1, 64, 64)


def test_an_alt_text_is_escaped() -> None:
    tag = str(img(np.zeros((2, 2, 4), np.uint8), 'a "b" <c>', 2))
    assert 'alt="a &#34;b&#34; &lt;c&gt;"' in tag
    decode(base64.b64decode(tag.split("base64,")[1].split('"')[0]))
