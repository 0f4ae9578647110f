"""Interpolations, traversals and edits on the command line."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.data import load
from isthmus.fitting import Run
from isthmus.latent import Aggregate, attribute, edit, interpolate, shortest_paths, traverse


@pytest.fixture
def digits():
    return next(load("digits").chunks(2000))


def test_interpolations_are_the_models(digits_run, digits, isthmus, tmp_path):
    model = Run.read(digits_run).model
    said = isthmus(
        *("interpolate", digits_run, "digits", "--pairs", "7-3,0-900", "--steps", 4),
        *("-o", tmp_path / "x.npy"),
    )
    assert "2 paths of 4 codes" in said.stdout
    assert "of the data's own codes lie further out" in said.stdout
    z = model.encode(digits.x[[7, 0, 3, 900]])
    expected = model.decode(interpolate(model, z[:2], z[2:], 4).flatten(0, 1))
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected.numpy(), atol=1e-5)
    said = isthmus(
        *("interpolate", digits_run, "digits", "--path", "shortest", "--steps", 3),
        *("-o", tmp_path / "short.npy"),
    )
    assert "shorter than the natural path" in said.stdout
    z = model.encode(digits.x[:16])
    expected = shortest_paths(model, z[::2], z[1::2], 3).codes.flatten(0, 1)
    np.testing.assert_allclose(np.load(tmp_path / "short.npy"), model.decode(expected), atol=1e-4)


@pytest.mark.parametrize("path", ["natural", "spherical"])
def test_half_way_is_half_way_of_an_even_number_of_codes_too(
    digits_run, digits, isthmus, tmp_path, path
):
    model = Run.read(digits_run).model
    z = model.encode(digits.x)
    middle = interpolate(model, z[:1], z[9:10], 3, path)[:, 1]
    usual = float(Aggregate.of(model, z).quantile(middle).median())
    wanted = f"half-way, {round(100 * (1 - usual))}% of the data's own codes"
    for steps in (2, 4, 5):
        said = isthmus(
            *("interpolate", digits_run, "digits", "--pairs", "0-9", "--steps", steps),
            *("--path", path, "--overwrite", "-o", tmp_path / "x.npy"),
        )
        assert wanted in said.stdout


def test_a_way_of_no_length_is_not_shortened(digits_run, isthmus, tmp_path):
    said = isthmus(
        *("interpolate", digits_run, "digits", "--pairs", "3-3", "--path", "shortest"),
        *("--steps", 3, "-o", tmp_path / "x.npy"),
    )
    assert "in the data 0% shorter" in said.stdout


def test_a_picture_shows_the_data_at_both_ends(digits_run, digits, isthmus, tmp_path):
    isthmus("interpolate", digits_run, "digits", "--pairs", "5-9", "-o", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        pixels = np.asarray(picture)
    # Eleven tiles of 8 pixels, six times as large, two wider gaps.
    assert pixels.shape == (48 + 2, 11 * 49 + 1 + 2 * 6)
    for tile, row in ((pixels[1:49:6, 1:49:6], 5), (pixels[1:49:6, -49:-1:6], 9)):
        np.testing.assert_array_equal(tile, (digits.x[row, 0] * 255).round().numpy())


def test_tables_say_where_a_row_stands(table_run, table, isthmus, tmp_path):
    isthmus("interpolate", table_run, table, "--steps", 3, "-o", tmp_path / "x.csv")
    isthmus("traverse", table_run, table, "--steps", 3, "-o", tmp_path / "t.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["pair", "t", "width", "height", "weight", "age"]
    assert [float(r["t"]) for r in rows[:4]] == [0.0, 0.5, 1.0, 0.0]
    assert {float(r["pair"]) for r in rows} == set(range(8))
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3
    assert {float(r["dimension"]) for r in rows} == {0.0, 1.0}


def test_traversals_are_the_models(digits_run, digits, isthmus, tmp_path):
    model = Run.read(digits_run).model
    said = isthmus(
        *("traverse", digits_run, "digits", "--row", 5, "--dimensions", 2, "--steps", 3),
        *("-o", tmp_path / "x.npy"),
    )
    assert "2 of 4 dimensions" in said.stdout
    assert "nats, from" in said.stdout
    torch.manual_seed(0)
    found = traverse(model, digits.x, model.encode(digits.x[5:6]), dimensions=2, steps=3)
    expected = model.decode(found.codes.flatten(0, 2))
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected.numpy(), atol=1e-5)
    isthmus("traverse", digits_run, "-o", tmp_path / "own.png")


def test_plain_autoencoders_too(plain_run, isthmus, tmp_path):
    said = isthmus("traverse", plain_run, "digits", "-o", tmp_path / "t.png")
    assert "variance, from" in said.stdout
    isthmus("edit", plain_run, "digits", "--towards", "label=3", "-o", tmp_path / "e.png")
    isthmus("interpolate", plain_run, "digits", "--path", "spherical", "-o", tmp_path / "i.png")


def test_edits_are_the_models(digits_run, digits, isthmus, tmp_path):
    model = Run.read(digits_run).model
    said = isthmus(
        *("edit", digits_run, "digits", "--towards", "label=7", "--by", 1.5, "-n", 6),
        *("-o", tmp_path / "x.npy", "--spread", tmp_path / "s.npy", "--draws", 3),
    )
    assert "AUC" in said.stdout
    assert "6 data moved by 1.5" in said.stdout
    seven = attribute(model, model.encode(digits.x), digits.labels, 7)
    torch.manual_seed(0)
    found = edit(model, digits.x[:6], seven, 1.5, draws=3)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), found.mean.numpy(), atol=1e-4)
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), found.spread.numpy(), atol=1e-4)
    isthmus("edit", digits_run, "digits", "--towards", "label=7", "-o", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (8 * 49 + 1 + 2 * 6, 10 * 49 + 1)


def test_columns_labels_and_files_of_a_table(table_run, table, isthmus, tmp_path):
    run = ("edit", table_run, table)
    assert "R²" in isthmus(*run, "--towards", "age", "-o", tmp_path / "a.csv").stdout
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["width", "height", "weight", "age", "label"]
    assert len(rows) == 60
    isthmus(*run, "--towards", "town=Ulm", "--method", "normal", "-o", tmp_path / "b.csv")
    np.save(tmp_path / "mine.npy", np.arange(60) % 7)
    isthmus(*run, "--towards", tmp_path / "mine.npy", "-o", tmp_path / "c.parquet")


def test_conditional_models(isthmus, refused, digits, tmp_path):
    run, x = tmp_path / "cvae", tmp_path / "x.npy"
    quick = ("--threads", 1, "--epochs", 1, "--device", "cpu", "--hidden", 16, "--latent-dim", 3)
    isthmus("fit", "digits", "--recipe", "cvae", "--condition", "label", *quick, "-o", run)
    model, told = Run.read(run).model, torch.eye(10)
    pair = ("interpolate", run, "digits", "--pairs", "7-3", "--steps", 2, "--overwrite", "-o", x)
    z = model.encode(digits.x[[7, 3]], condition=told[[7, 3]])
    for given, condition in (((), told[7]), (("--condition", 5), told[5])):
        isthmus(*pair, *given)
        expected = model.decode(z, condition=condition)
        np.testing.assert_allclose(np.load(x), expected.numpy(), atol=1e-5)
    walk = ("traverse", run, "digits", "--steps", 2, "-o", tmp_path / "t.npy")
    assert "--condition" in refused(*walk).stderr
    isthmus(*walk, "--row", 4)
    isthmus(*walk, "--condition", 4, "--overwrite")
    isthmus("traverse", run, "--condition", 4, "-o", tmp_path / "own.npy")
    isthmus("edit", run, "digits", "--towards", "label=7", "-n", 3, "-o", tmp_path / "e.npy")


def test_refusals(digits_run, table_run, table, refused, here):
    edits = ("edit", table_run, table, "--label", "town", "-o", "x.csv", "--towards")
    assert "Did you mean 'age'" in refused(*edits, "agee").stderr
    assert "is a number" in refused(*edits, "age=3").stderr
    assert "say which of the classes" in refused(*edits, "town").stderr
    assert "Did you mean 'Ulm'" in refused(*edits, "town=Ulms").stderr
    assert "no such file" in refused(*edits, "none.npy").stderr
    np.save("short.npy", np.zeros(3))
    assert "one for each" in refused(*edits, "short.npy").stderr
    picture = ("edit", digits_run, "digits", "--towards", "label=1", "-o", "x.png")
    assert "shows the spread" in refused(*picture, "--spread", "s.npy").stderr
    way = ("interpolate", digits_run, "digits", "-o", "x.png")
    assert "A-B,C-D" in refused(*way, "--pairs", "3").stderr
    assert "Row 5000" in refused(*way, "--pairs", "0-5000").stderr
    assert "Did you mean 'natural'" in refused(*way, "--path", "naturl").stderr
    assert "give DATA" in refused("traverse", digits_run, "--row", 3, "-o", "x.png").stderr
    assert [path.name for path in here.iterdir()] == ["short.npy"]
