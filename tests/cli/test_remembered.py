"""Options of the training's data are applied to like data by themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from isthmus.cli.given import data_for
from isthmus.data import Reading, load
from isthmus.errors import DataError, RunError
from isthmus.fitting import Run, fit

QUICK = {"latent_dim": 2, "hidden": (8,), "network": "mlp", "epochs": 1, "threads": 1}


def values_of(given):
    (batch,) = given.chunks(10_000)
    return batch.x.numpy()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(12):
        size = (10 + i, 12)
        Image.new("RGB", size, (20 * i, 10, 5)).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def pictures_run(pictures, tmp_path_factory):
    source = load(pictures, image_size=(6, 8), grey=True)
    return fit(source, folder=tmp_path_factory.mktemp("runs") / "pictures", **QUICK)


def test_a_single_picture_is_resized_as_at_training(pictures, pictures_run):
    run = Run.read(pictures_run.folder)
    given = data_for(run, str(pictures / "03.png"))
    expected = load(pictures, image_size=(6, 8), grey=True).x[3:4]
    np.testing.assert_array_equal(values_of(given), expected.numpy())


def test_pictures_are_resized_as_at_training(pictures, pictures_run):
    run = Run.read(pictures_run.folder)
    given = data_for(run, str(pictures))
    np.testing.assert_array_equal(values_of(given), load(pictures, image_size=(6, 8), grey=True).x)
    assert "read as at training: image_size 6x8" in given.notes
    # What is asked for goes first, and does not fit.
    with pytest.raises(DataError, match=r"\(1, 5, 5\)"):
        data_for(run, str(pictures), image_size="5")


def test_an_array_of_pictures_too(pictures_run, tmp_path):
    x = np.random.default_rng(0).random((5, 12, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    given = data_for(Run.read(pictures_run.folder), str(tmp_path / "x.npy"))
    np.testing.assert_array_equal(values_of(given), load(x, image_size=(6, 8)).x)


def test_a_run_of_an_older_version_has_nothing_to_remember(pictures, pictures_run, tmp_path):
    config = json.loads((pictures_run.folder / "config.json").read_text())
    del config["reading"]
    folder = tmp_path / "old"
    folder.mkdir()
    weights = (pictures_run.folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(json.dumps(config))
    run = Run.read(folder)
    assert run.reading == Reading()
    with pytest.raises(DataError, match="different sizes"):
        data_for(run, str(pictures))
    assert values_of(data_for(run, str(pictures), image_size="6x8")).shape == (12, 1, 6, 8)
    (folder / "config.json").write_text(json.dumps({**config, "reading": {"data": None}}))
    with pytest.raises(RunError, match="The reading in config"):
        Run.read(folder)


def test_columns_of_an_array_are_chosen_again(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.save(tmp_path / "x.npy", x)
    path = str(tmp_path / "x.npy")
    run = fit(load(path, columns=[3, 1]), folder=tmp_path / "run", **QUICK)
    read = Run.read(tmp_path / "run")
    np.testing.assert_array_equal(values_of(data_for(read, path)), x[:, [3, 1]].astype(np.float32))
    told = fit(load(path, condition="2"), "cvae", folder=tmp_path / "told", **QUICK)
    assert told.spec.shape == (3,)
    given = data_for(Run.read(tmp_path / "told"), path)
    np.testing.assert_array_equal(values_of(given), x[:, [0, 1, 3]].astype(np.float32))
    (batch,) = given.chunks(100)
    np.testing.assert_allclose(
        batch.condition[:, 0], (x[:, 2] - x[:, 2].mean()) / x[:, 2].std(), 1e-4
    )
    assert run.reading.options["columns"] == [3, 1]


def test_options_of_a_named_data_set(tmp_path):
    fit(load("shapes", n=40, seed=3), folder=tmp_path / "run", **QUICK)
    given = data_for(Run.read(tmp_path / "run"), "shapes")
    assert len(given) == 40
    assert given.notes == ("read as at training: n 40, seed 3",)


def test_what_cannot_be_written_down_is_left_out():
    source = load(np.eye(6), labels=list("ababab"), condition=np.arange(6.0))
    assert source.reading == Reading()
    again = load(load(np.eye(6), labels=list("ababab"), kind="table"), condition="label")
    assert again.reading == Reading(None, {"kind": "table", "condition": ["label"]})


def test_pictures_of_any_size_are_cropped_to_their_centre(pictures, tmp_path):
    source = load(pictures, crop=(6, 8), flip=True, grey=True)
    run = fit(source, folder=tmp_path / "run", **QUICK)
    assert run.spec.shape == (1, 6, 8)
    read = Run.read(tmp_path / "run")
    assert read.reading.options == {"crop": [6, 8], "flip": True, "grey": True}
    given = data_for(read, str(pictures))
    (batch,) = load(pictures, crop=(6, 8), grey=True).chunks(100)
    np.testing.assert_array_equal(values_of(given), batch.x)
    assert "read as at training: crop 6x8" in given.notes
    # An array is cropped too, and what is resized by request is cropped afterwards.
    x = np.random.default_rng(0).random((5, 12, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(
        values_of(data_for(read, str(tmp_path / "x.npy")))[:, 0], x[:, 3:9, 4:12]
    )
    small = values_of(data_for(read, str(pictures), image_size="6x8"))
    (batch,) = load(pictures, image_size=(6, 8), grey=True).chunks(100)
    np.testing.assert_array_equal(small, batch.x)


def test_pictures_that_were_resized_before_they_were_cropped(pictures, tmp_path):
    fit(load(pictures, crop=6, image_size=9), folder=tmp_path / "run", **QUICK)
    given = data_for(Run.read(tmp_path / "run"), str(pictures))
    (batch,) = load(pictures, crop=6, image_size=9).chunks(100)
    np.testing.assert_array_equal(values_of(given), batch.x)
