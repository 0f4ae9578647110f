"""Images grouped by size: names, order, pixels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.data.sizes import by_size, count
from isthmus.errors import DataError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in {"b.png": (5, 7), "a/x.png": (4, 4), "c.png": (5, 7)}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    return tmp_path


def test_every_image_is_there_once_under_its_name_and_as_it_is(folder):
    groups = by_size(folder, 3)
    assert [(g.size, g.names) for g in groups] == [
        ((4, 4), ("a/x.png",)),
        ((5, 7), ("b.png", "c.png")),
    ]
    assert count(groups) == 3
    for group in groups:
        x = torch.cat([batch.x for batch in group.source.chunks(1)])
        for name, image in zip(group.names, x, strict=True):
            pixels = np.asarray(Image.open(folder / name)).transpose(2, 0, 1)
            np.testing.assert_allclose(image.numpy() * 255.0, pixels, atol=1e-4)


def test_grey_models_read_grey(folder):
    (first, _) = by_size(folder, 1)
    x = next(first.source.chunks(1)).x[0, 0].numpy() * 255.0
    expected = np.asarray(Image.open(folder / "a/x.png").convert("L"))
    np.testing.assert_allclose(x, expected, atol=1e-4)


def test_one_size_on_request(folder):
    (group,) = by_size(folder, 3, (6, 8))
    assert group.size == (6, 8)
    assert group.names == ("a/x.png", "b.png", "c.png")


def test_arrays_are_one_group_named_by_their_row(tmp_path):
    path = tmp_path / "x.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 3), np.uint8)
    np.save(path, pixels)
    (group,) = by_size(str(path), 3)
    assert group.names[:2] == ("00", "01")
    assert group.size == (4, 5)
    found = torch.cat([batch.x for batch in group.source.chunks(5)]).numpy()
    np.testing.assert_allclose(found * 255.0, pixels.transpose(0, 3, 1, 2), atol=1e-4)


def test_other_channels_and_other_values_are_refused(tmp_path):
    np.save(tmp_path / "grey.npy", np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(DataError, match="images of 1 channels, and the model takes 3"):
        by_size(str(tmp_path / "grey.npy"), 3)
    np.save(tmp_path / "wide.npy", 3 * np.random.default_rng(0).normal(size=(3, 4, 4, 3)))
    with pytest.raises(DataError, match=r"values beyond \[0, 1\]"):
        by_size(str(tmp_path / "wide.npy"), 3)
