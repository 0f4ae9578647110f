"""encode, decode and reconstruct, against the library's own answers."""

from __future__ import annotations

import csv
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pyarrow.csv import read_csv, write_csv
from sklearn.datasets import load_digits

from isthmus.cli.rebuilt import Errors
from isthmus.data import DataSpec, load
from isthmus.fitting import Run


def images():
    return load("digits").x


def test_codes_are_the_models(digits_run, isthmus, tmp_path):
    said = isthmus("encode", digits_run, "digits", "-o", tmp_path / "c.npy").stdout
    assert "1,797 codes of 4 numbers" in said
    expected = Run.read(digits_run).model.encode(images())
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), expected.numpy())


def test_argmax_is_the_mode_and_sample_repeats_by_seed(digits_run, isthmus, tmp_path):
    for name, *options in [
        ("mode", "--mode", "argmax"),
        ("one", "--mode", "sample"),
        ("again", "--mode", "sample", "--seed", "0"),
        ("other", "--mode", "sample", "--seed", "1"),
    ]:
        isthmus("encode", digits_run, "digits", *options, "-o", tmp_path / f"{name}.npy")
    model = Run.read(digits_run).model
    found = {path.stem: np.load(path) for path in tmp_path.iterdir()}
    np.testing.assert_array_equal(found["mode"], model.encode(images(), "argmax").numpy())
    torch.manual_seed(0)
    np.testing.assert_array_equal(found["one"], model.encode(images(), "sample").numpy())
    np.testing.assert_array_equal(found["one"], found["again"])
    assert not np.array_equal(found["one"], found["other"])


def test_tables_of_codes_carry_the_label(digits_run, isthmus, tmp_path):
    for suffix in ("csv", "parquet", "npy"):
        isthmus("encode", digits_run, "digits", "-o", tmp_path / f"c.{suffix}")
    codes, target = np.load(tmp_path / "c.npy"), load_digits().target
    found = pq.read_table(tmp_path / "c.parquet")
    assert found.column_names == ["z0", "z1", "z2", "z3", "label"]
    np.testing.assert_array_equal(np.stack([found[f"z{i}"] for i in range(4)], 1), codes)
    assert found["label"].to_pylist() == [str(t) for t in target]
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_array_equal(
        np.array([[row[f"z{i}"] for i in range(4)] for row in rows], np.float32), codes
    )
    assert [row["label"] for row in rows] == [str(t) for t in target]


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_decoding_codes_is_reconstructing(suffix, digits_run, isthmus, tmp_path):
    codes = tmp_path / f"c.{suffix}"
    isthmus("encode", digits_run, "digits", "-o", codes)
    isthmus("decode", digits_run, codes, "-o", tmp_path / "decoded.npy")
    said = isthmus("reconstruct", digits_run, "digits", "-o", tmp_path / "again.npy").stdout
    again = np.load(tmp_path / "again.npy")
    assert again.shape == (1797, 1, 8, 8)
    np.testing.assert_array_equal(np.load(tmp_path / "decoded.npy"), again)
    np.testing.assert_array_equal(again, Run.read(digits_run).model.reconstruct(images()).numpy())
    error = np.sqrt(np.mean((16 * again - 16 * images().numpy()) ** 2))
    assert f"error {error:.3f}" in said.replace(f"{error:.4g}", f"{error:.3f}")


def test_the_error_of_a_table_is_in_standard_deviations(isthmus, tmp_path):
    x = np.random.default_rng(0).normal([5, 1e6, 3], [1.0, 5e4, 1e-2], (60, 3))
    x = np.column_stack([x, np.full(60, 7.0)]).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    options = ("--latent-dim", 2, "--hidden", 16, "--threads", 1, "--epochs", 1)
    isthmus("fit", tmp_path / "x.npy", *options, "-o", tmp_path / "run")
    again = ("reconstruct", tmp_path / "run", tmp_path / "x.npy", "-o", tmp_path / "again.npy")
    said = isthmus(*again).stdout
    wide, rebuilt = x.astype(float)[:, :3], np.load(tmp_path / "again.npy").astype(float)[:, :3]
    error = np.sqrt(np.mean(((rebuilt - wide) / wide.std(0)) ** 2))
    found = float(re.search(r"error ([\d.]+) standard deviations of each column", said)[1])
    assert found == pytest.approx(error, rel=2e-3)


def test_the_error_counts_no_gaps():
    x = torch.tensor([[1.0, float("nan")], [3.0, 10.0], [5.0, 30.0]])
    errors = Errors(DataSpec("table", (2,), "real", 3, missing=True))
    errors.add(x[:2], torch.zeros(2, 2))
    errors.add(x[2:], torch.zeros(1, 2))
    # (1 + 9 + 25) / 3 over a variance of 8 / 3, and (100 + 900) / 2 over one of 100.
    assert f"{np.sqrt((35 / 8 + 5) / 2):.4g} standard" in errors.said()


def test_a_table_comes_back_under_its_own_names(table, table_run, isthmus, tmp_path):
    isthmus("reconstruct", table_run, table, "-o", tmp_path / "x.csv")
    write_csv(read_csv(table).drop_columns("town"), tmp_path / "bare.csv")
    isthmus("reconstruct", table_run, tmp_path / "bare.csv", "-o", tmp_path / "x.parquet")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["width", "height", "weight", "age", "label"]
    assert {row["label"] for row in rows} == {"Ulm", "Bonn"}
    found = pq.read_table(tmp_path / "x.parquet")
    assert found.column_names == ["width", "height", "weight", "age"]
    x = load(table, label="town").x
    expected = Run.read(table_run).model.reconstruct(x).numpy()
    np.testing.assert_array_equal(np.stack([found[c] for c in found.column_names], 1), expected)


def test_pictures(digits_run, isthmus, tmp_path):
    isthmus("encode", digits_run, "digits", "-o", tmp_path / "c.npy")
    np.save(tmp_path / "few.npy", np.load(tmp_path / "c.npy")[:4])
    isthmus("decode", digits_run, tmp_path / "few.npy", "-o", tmp_path / "grid.png")
    isthmus("decode", digits_run, tmp_path / "few.npy", "-o", f"{tmp_path}/folder/")
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "folder").iterdir())) == 4
    # What was written as pictures is data again.
    isthmus("encode", digits_run, tmp_path / "folder", "-o", tmp_path / "again.npy")
    assert np.load(tmp_path / "again.npy").shape == (4, 4)


@pytest.mark.parametrize(
    ("mode", "said"),
    [("argmax", "use mode='mean'"), ("argmx", "Did you mean 'argmax'")],
)
def test_modes_that_a_model_has_not(mode, said, plain_run, refused, here):
    refusal = refused("encode", plain_run, "digits", "--mode", mode, "-o", "c.npy")
    assert said in refusal.stderr
    assert list(here.iterdir()) == []


def test_an_existing_output_stays(digits_run, refused, isthmus, here):
    (here / "c.npy").write_text("mine")
    refusal = refused("encode", digits_run, "digits", "-o", "c.npy")
    assert "--overwrite" in refusal.stderr
    assert (here / "c.npy").read_text() == "mine"
    isthmus("encode", digits_run, "digits", "-o", "c.npy", "--overwrite")
    assert np.load("c.npy").shape == (1797, 4)


def test_codes_of_another_width(digits_run, refused, here):
    np.save("c.npy", np.zeros((5, 3), np.float32))
    assert "3 numbers" in refused("decode", digits_run, "c.npy", "-o", "x.npy").stderr
    pq.write_table(pa.table({"z0": [0.0] * 3, "z1": [0.0] * 3}), "c.parquet")
    assert "z2" in refused("decode", digits_run, "c.parquet", "-o", "x.npy").stderr
    assert sorted(p.name for p in here.iterdir()) == ["c.npy", "c.parquet"]


def test_a_large_array_is_encoded_in_parts(digits_run, isthmus, tmp_path):
    many = np.tile(images().numpy(), (5, 1, 1, 1))
    np.save(tmp_path / "many.npy", many)
    isthmus("encode", digits_run, tmp_path / "many.npy", "-o", tmp_path / "c.parquet")
    found = pq.ParquetFile(tmp_path / "c.parquet")
    assert found.num_row_groups == 3
    expected = Run.read(digits_run).model.encode(torch.from_numpy(many))
    codes = np.stack([found.read()[f"z{i}"] for i in range(4)], 1)
    np.testing.assert_allclose(codes, expected.numpy(), rtol=1e-5, atol=1e-6)
