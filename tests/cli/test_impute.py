"""`isthmus impute`: only the gaps of a file change."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from isthmus.data import load
from isthmus.fitting import Run

QUICK = ("--threads", 1, "--epochs", 2, "--device", "cpu", "--hidden", 8, "--latent-dim", 2)
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def holed():
    """Numbers that no float32 holds, with gaps."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    x[rng.random(x.shape) < 0.25] = np.nan
    x[0] = [1.1, np.nan, 1e-300]
    return x


@pytest.fixture(scope="module")
def gappy(holed, tmp_path_factory):
    """A CSV file of them, with a column that nothing is learned from."""
    path = tmp_path_factory.mktemp("data") / "gappy.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *NAMES])
        for i, row in enumerate(holed.tolist()):
            writer.writerow([f"{i:03d}, x", *("" if v != v else repr(v) for v in row)])
    return path


@pytest.fixture(scope="module")
def gappy_run(gappy, tmp_path_factory):
    from .conftest import run_well

    folder = tmp_path_factory.mktemp("runs") / "gappy"
    recipe = ("--recipe", "miwae-imputation", "--drop", "id")
    run_well("fit", gappy, *recipe, *QUICK, "-o", folder)
    return folder


def expected(run, path, samples, mode="mean", times=1):
    model = Run.read(run).model
    x = load(path, columns=NAMES, missing=True).x
    torch.manual_seed(0)
    return [model.impute(x, samples, mode).numpy() for _ in range(times)]


def test_cells_of_text_stay_as_they_are_written(gappy, gappy_run, holed, isthmus, tmp_path):
    said = isthmus("impute", gappy_run, gappy, "--samples", 5, "-o", tmp_path / "f.csv")
    gaps = np.isnan(holed)
    assert f"{gaps.sum()} gaps in 40 data" in said.stdout
    (answer,) = expected(gappy_run, gappy, 5)
    with gappy.open(newline="") as before, (tmp_path / "f.csv").open(newline="") as after:
        rows = list(zip(csv.reader(before), csv.reader(after), strict=True))
    assert rows[0][0] == rows[0][1]
    for i, (old, new) in enumerate(rows[1:]):
        for j, (was, now) in enumerate(zip(old, new, strict=True)):
            if was == "":
                assert np.float32(now) == answer[i, j - 1]
            else:
                assert was == now


def test_a_table_and_an_array_keep_their_types(gappy_run, holed, isthmus, tmp_path):
    columns = {"c": holed[:, 2], "a": holed[:, 0].astype(np.float32), "id": np.arange(40)}
    columns["b"] = [None if v != v else int(10 * v) for v in holed[:, 1]]
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "t.parquet")
    isthmus(
        "impute", gappy_run, tmp_path / "t.parquet", "--samples", 3, "-o", tmp_path / "f.parquet"
    )
    found = pq.read_table(tmp_path / "f.parquet")
    assert found.column_names == ["c", "a", "id", "b"]
    assert [str(f.type) for f in found.schema] == ["double", "float", "int64", "double"]
    for name in ("c", "a"):
        there = ~np.isnan(columns[name])
        values = found[name].to_numpy()
        np.testing.assert_array_equal(values[there], columns[name][there])
        assert np.isfinite(values).all()
    assert [int(v) for v, w in zip(found["b"].to_pylist(), columns["b"], strict=True) if w == v]

    np.save(tmp_path / "x.npy", holed)
    isthmus("impute", gappy_run, tmp_path / "x.npy", "--samples", 3, "-o", tmp_path / "y.npy")
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == np.float64
    there = ~np.isnan(holed)
    np.testing.assert_array_equal(y[there], holed[there])
    assert np.isfinite(y).all()


def test_draws_are_files_of_their_own(gappy, gappy_run, holed, isthmus, refused, tmp_path):
    arguments = ("impute", gappy_run, gappy, "--samples", 4, "--draws", 2, "-o", tmp_path / "d.npy")
    isthmus(*arguments)
    one, two = (np.load(tmp_path / f"d-{i}.npy") for i in (1, 2))
    gaps = np.isnan(holed)
    wanted = expected(gappy_run, gappy, 4, "sample", times=2)
    np.testing.assert_array_equal(one[gaps].astype(np.float32), wanted[0][gaps])
    np.testing.assert_array_equal(two[gaps].astype(np.float32), wanted[1][gaps])
    assert (one[gaps] != two[gaps]).all()
    np.testing.assert_array_equal(one[~gaps], holed[~gaps])
    assert "exists already" in refused(*arguments).stderr


def test_what_cannot_be_is_refused_in_a_line(gappy, gappy_run, table, table_run, refused, tmp_path):
    out = ("-o", tmp_path / "f.csv")
    assert "learned from complete data" in refused("impute", table_run, table, *out).stderr
    assert "gaps are filled in a file" in refused("impute", gappy_run, "digits", *out).stderr
    picture = refused("impute", gappy_run, gappy, "-o", tmp_path / "f.png").stderr
    assert "go to a file of .csv" in picture
    missing = refused("impute", gappy_run, tmp_path / "none.csv", *out).stderr
    assert "no file or data set" in missing
    assert not (tmp_path / "f.csv").exists()
