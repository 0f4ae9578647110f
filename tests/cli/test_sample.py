from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from isthmus.fitting import Run


def test_samples_are_the_models_and_repeat_by_seed(digits_run, isthmus, tmp_path):
    for name, *options in [("a",), ("b", "--seed", 0), ("c", "--seed", 1)]:
        isthmus("sample", digits_run, "-n", 9, *options, "-o", tmp_path / f"{name}.npy")
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    model = Run.read(digits_run).model
    torch.manual_seed(0)
    np.testing.assert_array_equal(a, model.sample(9).numpy())
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_pictures(digits_run, isthmus, tmp_path):
    said = isthmus("sample", digits_run, "-o", tmp_path / "x.png").stdout
    assert "64 samples" in said
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (8 * 33 + 1, 8 * 33 + 1)
    isthmus("sample", digits_run, "-n", 3, "-o", f"{tmp_path}/x/")
    assert len(list((tmp_path / "x").iterdir())) == 3


def test_tables(table_run, isthmus, tmp_path):
    for suffix in ("csv", "parquet", "npy"):
        isthmus("sample", table_run, "-n", 7, "-o", tmp_path / f"x.{suffix}")
    names = ["width", "height", "weight", "age"]
    found = pq.read_table(tmp_path / "x.parquet")
    assert found.column_names == names
    expected = np.load(tmp_path / "x.npy")
    np.testing.assert_array_equal(np.stack([found[c] for c in names], 1), expected)
    with (tmp_path / "x.csv").open(newline="") as file:
        assert next(csv.reader(file)) == names


def test_refusals(table_run, digits_run, refused, here):
    assert "pictures" in refused("sample", table_run, "-o", "x.png").stderr
    assert "no rows of a table" in refused("sample", digits_run, "-o", "x.csv").stderr
    assert "-n" in refused("sample", digits_run, "-n", 0, "-o", "x.npy").stderr
    mistyped = refused("sample", digits_run, "--mode", "maen", "-o", "x.npy")
    assert "Did you mean 'mean'" in mistyped.stderr
    assert list(here.iterdir()) == []
