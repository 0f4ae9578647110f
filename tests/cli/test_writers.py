from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from isthmus.cli.sinks import Layout
from isthmus.cli.writers import Target
from isthmus.errors import OptionError, UnknownNameError

ROWS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
LABELS = ["a", "b, c", "a", 'd"', ""]
TABLE = Layout("codes", 5, (3,), ("z0", "z1", "z2"), labels=True)
BARE = Layout("codes", 5, (3,), ("z0", "z1", "z2"))
IMAGES = Layout("samples", 5, (1, 4, 6), (), images=True)
GREYS = np.random.default_rng(1).uniform(-0.1, 1.1, (5, 1, 4, 6)).astype(np.float32)


def read_picture(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def write(path, layout, rows, labels=None, overwrite=False):
    target = Target.at(str(path), overwrite)
    with target.open(layout) as sink:
        sink.write(rows[:2], labels and labels[:2])
        sink.write(rows[2:], labels and labels[2:])


def test_npy(tmp_path):
    write(tmp_path / "x.npy", TABLE, ROWS, LABELS)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), ROWS)


@pytest.mark.parametrize(("layout", "labels"), [(TABLE, LABELS), (BARE, None)])
def test_tables(layout, labels, tmp_path):
    write(tmp_path / "x.parquet", layout, ROWS, labels)
    write(tmp_path / "x.csv", layout, ROWS, labels)
    found = pq.read_table(tmp_path / "x.parquet")
    names = [*layout.names, *(["label"] if labels else [])]
    assert found.column_names == names
    with (tmp_path / "x.csv").open(newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header == names
    for i, name in enumerate(layout.names):
        np.testing.assert_array_equal(found[name].to_numpy(), ROWS[:, i])
        # The text of a float32 is the shortest that gives the same number again.
        np.testing.assert_array_equal(np.array([line[i] for line in lines], np.float32), ROWS[:, i])
    if labels:
        assert found["label"].to_pylist() == labels
        assert [line[-1] for line in lines] == labels


def test_a_grid_holds_every_image_in_its_place(tmp_path):
    write(tmp_path / "x.png", IMAGES, GREYS)
    grid = read_picture(tmp_path / "x.png")
    zoom = 5  # the tile of 4 x 6 is enlarged to about 32
    assert grid.shape == (2 * (4 * zoom + 1) + 1, 3 * (6 * zoom + 1) + 1)
    expected = np.rint(np.clip(GREYS[4, 0], 0, 1) * 255)
    tile = grid[1 + 4 * zoom + 1 :, 1 + 6 * zoom + 1 :][: 4 * zoom, : 6 * zoom]
    np.testing.assert_array_equal(tile[::zoom, ::zoom], expected)


@pytest.mark.parametrize("name", ["pictures/", "pictures"])
def test_a_folder_of_pictures(name, tmp_path):
    write(f"{tmp_path}/{name}", IMAGES, GREYS)
    files = sorted((tmp_path / "pictures").iterdir())
    assert [f.name for f in files] == [f"0000{i}.png" for i in range(5)]
    for file, grey in zip(files, GREYS, strict=True):
        expected = np.rint(np.clip(grey[0], 0, 1) * 255)
        np.testing.assert_array_equal(read_picture(file), expected)


def test_colours(tmp_path):
    layout = Layout("samples", 2, (3, 4, 4), (), images=True)
    colours = np.random.default_rng(1).uniform(size=(2, 3, 4, 4)).astype(np.float32)
    write(tmp_path / "p", layout, colours)
    found = read_picture(tmp_path / "p" / "00001.png")
    np.testing.assert_array_equal(found, np.rint(np.moveaxis(colours[1], 0, -1) * 255))


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.parquet", "x.png", "x/"])
def test_nothing_half_written_is_left(name, tmp_path):
    layout = IMAGES if name in ("x.png", "x/") else BARE
    rows = GREYS if layout is IMAGES else ROWS
    target = Target.at(f"{tmp_path}/new/folder/{name}")

    def fail_halfway():
        with target.open(layout) as sink:
            sink.write(rows[:2])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.parquet"])
def test_what_is_there_is_not_lost(name, tmp_path):
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(OptionError, match="--overwrite"):
        Target.at(str(path))
    with pytest.raises(ZeroDivisionError), Target.at(str(path), overwrite=True).open(BARE):
        raise ZeroDivisionError
    assert path.read_text() == "mine"
    write(path, BARE, ROWS, overwrite=True)
    assert path.read_bytes() != b"mine"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_folder_that_holds_something_is_not_emptied(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="--overwrite"):
        Target.at(str(tmp_path / "p"))
    write(tmp_path / "p", IMAGES, GREYS, overwrite=True)
    assert (tmp_path / "p" / "mine.txt").read_text() == "mine"
    assert len(list((tmp_path / "p").iterdir())) == 6


@pytest.mark.parametrize(("name", "meant"), [("x.nyp", ".npy"), ("x.parqet", ".parquet")])
def test_a_mistyped_suffix(name, meant, tmp_path):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{meant}'"):
        Target.at(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "layout", "said"),
    [
        ("x.png", BARE, ".npy, .parquet, .csv"),
        ("x/", BARE, ".npy, .parquet, .csv"),
        ("x.csv", IMAGES, "no rows of a table"),
        ("x.png", Layout("x", 10**6, (1, 64, 64), (), images=True), "into a folder"),
    ],
)
def test_what_does_not_fit_is_refused(name, layout, said, tmp_path):
    with (
        pytest.raises(OptionError, match=said),
        Target.at(f"{tmp_path}/{name}").open(layout),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["npy", "csv", "parquet"])
def test_integers_stay_integers(kind, tmp_path):
    rows = np.array([[0, 2**24 + 1], [3, 4], [5, 6]])
    path = tmp_path / f"x.{kind}"
    write(path, Layout("codes", 3, (2,), ("z0", "z1"), integers=True), rows)
    if kind == "npy":
        found = np.load(path)
    elif kind == "parquet":
        table = pq.read_table(path)
        found = np.stack([table[name].to_numpy() for name in table.column_names], 1)
    else:
        found = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, rows)
