"""Crops and flips: where they are, and that only (seed, epoch, position) moves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from isthmus.data import Cropped, Pictures, Resident, Streamed, load, place
from isthmus.data.crops import Window
from isthmus.errors import DataError, OptionError
from isthmus.fitting import fit
from isthmus.training import Listener

N, H, W = 40, 9, 11
RNG = np.random.default_rng(4)
# Every pixel says which image, row and column it is.
IMAGES = np.stack(
    np.broadcast_arrays(np.arange(N)[:, None, None], np.arange(H)[:, None] * 20, np.arange(W) * 20),
    axis=-1,
).astype(np.uint8)
SIZES = [(9 + i % 4, 11 + i % 3) for i in range(N)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of mixed sizes, each pixel with its place as above, in two classes."""
    root = tmp_path_factory.mktemp("mixed")
    for i, (height, width) in enumerate(SIZES):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = i, np.arange(height)[:, None] * 20
        pixels[..., 2] = np.arange(width) * 20
        path = root / "ab"[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root


class Stop(Listener):
    """Interrupts a run within its first epoch."""

    def hear(self, record) -> None:
        if record["step"] == 3:
            raise KeyboardInterrupt

    def close(self) -> None:
        pass


def seen(batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which image, its upper row, its left column, and whether it is mirrored, of each crop."""
    x = (batch.x * 255).round().long().numpy()
    assert (x[:, 0] == x[:, 0, :1, :1]).all()
    rows, columns = x[:, 1, :, 0] // 20, x[:, 2, 0] // 20
    steps = np.diff(columns, axis=1)
    assert (np.diff(rows, axis=1) == 1).all()
    assert (abs(steps) == 1).all()
    assert (steps == steps[:, :1]).all()
    return x[:, 0, 0, 0], rows[:, 0], columns.min(1), steps[:, 0] < 0


def epoch_of(source, size=8, **key):
    return [seen(batch) for batch in source.epoch(size, **{"seed": 3, "epoch": 0, **key})]


def sources(folder: Path, **options):
    return {
        "array": load(IMAGES, crop=(5, 6), **options),
        "folder": load(folder, crop=(5, 6), **options),
    }


def test_a_crop_is_a_part_of_its_image_and_the_centre_for_all_but_training(folder) -> None:
    for name, source in sources(folder, flip=True).items():
        assert isinstance(source, Cropped if name == "array" else Pictures)
        assert source.spec.shape == (3, 5, 6)
        sizes = np.array([(H, W)] * N if name == "array" else SIZES)
        order = np.arange(N) if name == "array" else np.r_[0:N:2, 1:N:2]
        for chunk in (7, 100):
            found = [np.concatenate(p) for p in zip(*map(seen, source.chunks(chunk)), strict=True)]
            assert (found[0] == order).all()
            assert (found[1] == (sizes[order, 0] - 5) // 2).all()
            assert (found[2] == (sizes[order, 1] - 6) // 2).all()
            assert not found[3].any()
        which, rows, columns, flips = (
            np.concatenate(p) for p in zip(*epoch_of(source), strict=True)
        )
        assert sorted(which) == list(range(N))
        assert (rows <= sizes[which, 0] - 5).all()
        assert (columns <= sizes[which, 1] - 6).all()
        assert 0 < flips.sum() < N


@pytest.mark.parametrize("kind", ["array", "folder"])
def test_places_follow_from_seed_epoch_and_position_alone(kind, folder) -> None:
    source = sources(folder, flip=True)[kind].subset("train", 0, (0.8, 0.1, 0.1))
    whole = [np.concatenate(p) for p in zip(*epoch_of(source, 4), strict=True)]
    # Other batch sizes, a start in the middle, and two processes that share the batches.
    double = [np.concatenate(p) for p in zip(*epoch_of(source, 8), strict=True)]
    later = [np.concatenate(p) for p in zip(*epoch_of(source, 4, start=3), strict=True)]
    ranks = [epoch_of(source, 4, start=rank, stride=2) for rank in range(2)]
    shared = [ranks[i % 2][i // 2] for i in range(len(source) // 4)]
    together = [np.concatenate(p) for p in zip(*shared, strict=True)]
    for a, b, c, d in zip(whole, double, later, together, strict=True):
        assert (a[: len(b)] == b).all()
        assert (a[12:] == c).all()
        assert (a == d).all()
    again = [np.concatenate(p) for p in zip(*epoch_of(source, 4), strict=True)]
    other = [np.concatenate(p) for p in zip(*epoch_of(source, 4, epoch=1), strict=True)]
    assert all((a == b).all() for a, b in zip(whole, again, strict=True))
    by_image = [dict(zip(found[0], found[1], strict=True)) for found in (whole, other)]
    assert by_image[0] != by_image[1]


def test_places_are_uniform_and_independent() -> None:
    window = Window(3, 4, flip=True)
    sizes = np.broadcast_to([7, 9], (50_000, 2))
    places = window.drawn(sizes, 1, 2, 10)
    table = np.zeros((5, 6, 2))
    np.add.at(table, (places.tops, places.lefts, places.flips.astype(int)), 1)
    assert stats.chisquare(table.ravel()).pvalue > 1e-3
    following = window.drawn(sizes, 1, 2, 11)
    assert (following.tops[:-1] == places.tops[1:]).all()
    for other in (window.drawn(sizes, 1, 3, 10), window.drawn(sizes, 2, 2, 10)):
        assert abs(np.corrcoef(other.tops, places.tops)[0, 1]) < 0.02
    assert not Window(3, 4).drawn(sizes, 1, 2, 10).flips.any()


def test_the_whole_image_has_one_place(folder) -> None:
    flipped = load(IMAGES, flip=True)
    assert flipped.spec.shape == (3, H, W)
    found = zip(*epoch_of(flipped), strict=True)
    _, rows, columns, flips = (np.concatenate(p) for p in found)
    assert not rows.any()
    assert not columns.any()
    assert 0 < flips.sum() < N


def test_images_of_one_size_in_a_folder_are_held_in_memory(tmp_path) -> None:
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    resident = load(tmp_path, crop=5, flip=True)
    assert isinstance(resident, Cropped)
    assert isinstance(resident.source, Resident)
    streamed = load(tmp_path, crop=5, flip=True, max_bytes=100)
    assert isinstance(streamed, Pictures)
    assert resident.spec == streamed.spec
    for one, other in zip(epoch_of(resident), epoch_of(streamed), strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    moved = place(resident, "meta")
    assert moved.source.x.device.type == "meta"
    # Resized first, then cropped.
    small = load(tmp_path, crop=4, image_size=6), load(tmp_path, crop=4, image_size=6, max_bytes=9)
    for one, other in zip(*(s.epoch(8, seed=0, epoch=0) for s in small), strict=True):
        torch.testing.assert_close(one.x, other.x)


def test_a_streamed_array_is_cropped_too(tmp_path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    source = load(tmp_path / "x.npy", crop=5, max_bytes=100)
    assert isinstance(source, Cropped)
    assert isinstance(source.source, Streamed)
    which, rows, _, _ = (np.concatenate(p) for p in zip(*epoch_of(source), strict=True))
    assert sorted(which) == list(range(N))
    assert len(set(rows)) == 5


def test_labels_and_conditions_ride_along(folder) -> None:
    source = load(folder, crop=5, condition="label", flip=True)
    for batch in source.epoch(8, seed=0, epoch=0):
        which = seen(batch)[0]
        assert (batch.labels.numpy() == which % 2).all()
        assert (batch.condition.argmax(1).numpy() == which % 2).all()
    told = load(IMAGES, crop=5, condition=np.arange(N) / 1.0)
    for batch in told.epoch(8, seed=0, epoch=0):
        values = batch.condition[:, 0].numpy() * np.arange(N).std() + np.arange(N).mean()
        np.testing.assert_allclose(values, seen(batch)[0], atol=1e-4)


def test_grey_and_deep_pictures_are_cropped_as_they_are_read(tmp_path) -> None:
    deep = RNG.integers(0, 65536, (6, 8, 9), np.uint16)
    for i, image in enumerate(deep):
        Image.fromarray(image[: 8 - i % 2]).save(tmp_path / f"{i}.png")
    (batch,) = load(tmp_path, crop=5).chunks(10)
    assert batch.x.shape == (6, 1, 5, 5)
    for i, image in enumerate(deep):
        top = (8 - i % 2 - 5) // 2
        want = image[top : top + 5, 2:7].astype(int) // 256
        np.testing.assert_allclose(batch.x[i, 0].numpy() * 255, want, atol=1e-3)


def test_what_is_too_small_is_refused_with_its_name(folder) -> None:
    with pytest.raises(DataError, match=r"00\.png of 11 x 9 .* cannot be cropped to 6 x 10: lower"):
        load(folder, crop=(10, 6))
    with pytest.raises(DataError, match=r"The images of the array of 11 x 9 .* set image_size"):
        load(IMAGES, crop=10)
    assert load(folder, crop=10, image_size=12).spec.shape == (3, 10, 10)
    for wrong in (0, (3,), (3, 4, 5)):
        with pytest.raises(OptionError, match="crop="):
            load(IMAGES, crop=wrong)
    with pytest.raises(OptionError, match="crop= is for images, and the array holds data of kind"):
        load(np.eye(5), crop=2)
    with pytest.raises(DataError, match=r"different sizes.*or crop to train on crops"):
        load(folder)


def test_a_picture_that_broke_after_it_was_loaded_stops_the_epoch(tmp_path) -> None:
    for i in range(12):
        Image.fromarray(IMAGES[i, : 9 - i % 2]).save(tmp_path / f"{i:02d}.png")
    source = load(tmp_path, crop=5)
    (tmp_path / "07.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"07\.png is not a picture"):
        list(source.chunks(4))


def test_a_run_on_crops_is_resumed_to_the_same_bits(folder, tmp_path) -> None:
    options = {
        "latent_dim": 2, "hidden": (8,), "network": "mlp", "epochs": 2, "batch_size": 6,
        "threads": 1, "checkpoint_seconds": 1e-9, "patience": 0, "log_every": 1,
    }  # fmt: skip
    source = load(folder, crop=5, flip=True)
    whole = fit(source, "vae", folder=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        fit(source, "vae", folder=tmp_path / "run", listeners=[Stop()], **options)
    resumed = fit(source, "vae", folder=tmp_path / "run", resume=True, **options)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert one.equal(other)
    assert resumed.reading.options == {"crop": 5, "flip": True}
