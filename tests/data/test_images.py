"""Folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from isthmus.data import Resident, Streamed, load
from isthmus.data.sizes import by_size
from isthmus.errors import DataError

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (6, 9, 7), np.uint8)
COLOUR = RNG.integers(0, 256, (6, 9, 7, 3), np.uint8)


def write(folder: Path, images: np.ndarray, names: list[str] | None = None) -> Path:
    for i, image in enumerate(images):
        path = folder / (names[i] if names else f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


@pytest.mark.parametrize(("images", "channels"), [(GREY, 1), (COLOUR, 3)])
def test_colours_are_decided_by_the_files(
    tmp_path: Path, images: np.ndarray, channels: int
) -> None:
    source = load(write(tmp_path, images))
    spec = source.spec
    assert (spec.kind, spec.support, spec.unit) == ("image", "unit", 255.0)
    assert spec.shape == (channels, 9, 7)
    (batch,) = source.chunks(10)
    pixels = images[:, None] if channels == 1 else images.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(batch.x.numpy(), pixels / 255, rtol=1e-6)
    assert source.notes == ()


def test_grey_and_colour_on_request(tmp_path: Path) -> None:
    faded = load(write(tmp_path / "c", COLOUR), grey=True)
    assert faded.spec.shape == (1, 9, 7)
    assert faded.notes == ("6 images in colours were read as grey",)
    coloured = load(write(tmp_path / "g", GREY), grey=False)
    assert coloured.spec.shape == (3, 9, 7)
    assert coloured.notes == ("6 grey images were read as RGB",)
    write(tmp_path / "c", GREY[:2], ["x.png", "y.png"])
    mixed = load(tmp_path / "c")
    assert mixed.spec.shape == (3, 9, 7)
    assert mixed.notes == ("2 grey images were read as RGB",)


@pytest.mark.parametrize("name", ["one.png", "one.PNG", "one.jpeg"])
def test_a_picture_is_a_folder_of_itself(tmp_path: Path, name: str) -> None:
    write(tmp_path, COLOUR[:1], [name])
    alone, folder = (load(path, min_rows=1) for path in (tmp_path / name, tmp_path))
    assert alone.spec.shape == folder.spec.shape == (3, 9, 7)
    assert next(alone.chunks(2)).x.equal(next(folder.chunks(2)).x)
    assert load(tmp_path / name, min_rows=1, grey=True, image_size=4).spec.shape == (1, 4, 4)
    with pytest.raises(DataError, match="one row; at least 3"):
        load(tmp_path / name)
    (group,) = by_size(tmp_path / name, 3)
    assert (group.names, group.size) == ((name,), (9, 7))
    assert by_size(tmp_path / name, 3, 5)[0].names == (name,)


def test_subfolders_are_labels(tmp_path: Path) -> None:
    names = ["b/1.png", "a/2.jpg", "b/3.jpeg", "a/deep/4.PNG", "a/5.png", "b/6.png"]
    write(tmp_path, GREY, names)
    (tmp_path / "a" / "readme.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_text("hello")
    source = load(tmp_path)
    assert isinstance(source, Resident)
    assert source.spec.classes == ("a", "b")
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.notes == ("one file that is no png or jpg was left alone",)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.full((3, 4, 4), 32768, np.uint16)
    source = load(write(tmp_path, deep))
    (batch,) = source.chunks(3)
    assert batch.x.unique().tolist() == [pytest.approx(128 / 255)]
    assert source.notes == ("of 3 images with 16 bits a pixel the upper 8 were read",)


def test_mixed_sizes(tmp_path: Path) -> None:
    write(tmp_path, GREY)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"0.png is 7 x 9 and .*small.png is 5 x 4.*set image_size"):
        load(tmp_path)
    source = load(tmp_path, image_size=(6, 5))
    assert source.spec.shape == (1, 6, 5)
    assert source.notes == ("7 images resized to 5 x 6 (width x height)",)
    (batch,) = source.chunks(10)
    want = F.interpolate(
        torch.from_numpy(GREY[:1, None]).double(), (6, 5), mode="bilinear", antialias=True
    )
    assert float((batch.x[0] - want[0] / 255).abs().max()) < 0.51 / 255
    assert load(tmp_path, image_size=8).spec.shape == (1, 8, 8)


def test_large_folders_are_streamed(tmp_path: Path) -> None:
    write(tmp_path, COLOUR, [f"{'ab'[i % 2]}/{i}.png" for i in range(6)])
    resident, streamed = load(tmp_path), load(tmp_path, max_bytes=10)
    assert isinstance(streamed, Streamed)
    assert streamed.spec == resident.spec
    one, other = next(resident.chunks(6)), next(streamed.chunks(6))
    torch.testing.assert_close(one.x, other.x)
    assert one.labels is not None
    assert other.labels is not None
    assert one.labels.tolist() == other.labels.tolist()


@pytest.mark.parametrize("cut", [False, True])
def test_files_that_are_no_pictures(tmp_path: Path, cut: bool) -> None:
    write(tmp_path, COLOUR)
    bad = tmp_path / "3.png"
    bad.write_bytes(bad.read_bytes()[:200] if cut else b"hello, I am text")
    message = "cannot be decoded" if cut else "is not a picture, whatever its name says"
    with pytest.raises(DataError, match=rf"3\.png {message}"):
        load(tmp_path)


def test_folders_that_hold_too_little(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.png"):
        load(tmp_path)
    with pytest.raises(DataError, match="has one row"):
        load(write(tmp_path, GREY[:1]))
