"""Data for a run are read as they were at training."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from isthmus.cli.given import data_for
from isthmus.data import load
from isthmus.errors import DataError, UnknownNameError
from isthmus.fitting import Run


@pytest.fixture
def digits(digits_run):
    return Run.read(digits_run)


@pytest.fixture
def people(table_run):
    return Run.read(table_run)


def values_of(given):
    (batch,) = given.chunks(10_000)
    return batch.x.numpy()


def test_the_unit_of_the_run(digits, tmp_path):
    own = load_digits().images
    expected = load("digits").x.numpy()
    for name, array, noted in [
        ("own", own, True),
        ("float32", own.astype(np.float32), True),
        ("bytes", own.astype(np.uint8), True),
        ("numbers", own.astype(np.int64), True),
        ("scaled", (own / 16).astype(np.float32), False),
    ]:
        np.save(tmp_path / f"{name}.npy", array)
        given = data_for(digits, str(tmp_path / f"{name}.npy"))
        np.testing.assert_allclose(values_of(given), expected, atol=1e-6, err_msg=name)
        assert any("divided by 16" in note for note in given.notes) == noted


def test_a_reconstruction_that_overshoots_is_in_the_units_already(digits, tmp_path):
    x = load("digits").x.numpy().copy()
    x[0, 0, 0, 0] = 1.05
    np.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(values_of(data_for(digits, str(tmp_path / "x.npy"))), x)


def test_a_folder_of_pictures_has_its_own_scale(digits, tmp_path):
    pixels = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    given = data_for(digits, str(tmp_path))
    np.testing.assert_allclose(values_of(given)[:, 0], pixels / 255, atol=1e-6)


def test_pictures_are_read_in_the_run_s_channels_and_resized_on_request(digits, tmp_path):
    for i in range(3):
        Image.new("RGB", (10, 12), (10 * i, 20, 30)).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match=r"\(1, 12, 10\).*\(1, 8, 8\).*--image-size 8x8"):
        data_for(digits, str(tmp_path))
    assert values_of(data_for(digits, str(tmp_path), image_size="8")).shape == (3, 1, 8, 8)


def write_people(path, columns):
    table = pa.table({c: np.arange(4.0) + i for i, c in enumerate(columns)})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".gz":
        pc.write_csv(table, path.with_suffix(""))
        path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    else:
        options = pc.WriteOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
        pc.write_csv(table, path, options)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.tsv", "x.parquet"])
def test_columns_go_by_name_in_the_run_s_order(name, people, tmp_path):
    path = tmp_path / name
    write_people(path, ["age", "shoe", "weight", "height", "width"])
    given = data_for(people, str(path))
    # width, height, weight, age are the columns 4, 3, 2, 0 of the file.
    np.testing.assert_array_equal(values_of(given)[0], [4, 3, 2, 0])
    assert "columns that the run does not know were left out: shoe" in given.notes


def test_the_label_of_the_training_is_the_label_again(people, table, tmp_path):
    assert data_for(people, str(table), label="town").notes == ()
    remembered = data_for(people, str(table))
    assert remembered.classes == ("Bonn", "Ulm")
    assert remembered.notes == ("read as at training: label town",)
    write_people(tmp_path / "x.csv", ["age", "weight", "height", "width"])
    assert data_for(people, str(tmp_path / "x.csv")).notes == ()


def test_missing_columns_are_named(people, tmp_path):
    write_people(tmp_path / "x.csv", ["width", "heights", "weight", "age"])
    with pytest.raises(
        UnknownNameError, match=r"lacks the column 'height'.*Did you mean 'heights'"
    ):
        data_for(people, str(tmp_path / "x.csv"))
    write_people(tmp_path / "y.csv", ["width", "age", "shoe"])
    with pytest.raises(UnknownNameError, match=r"lacks 2 of the 4 columns.*'height', 'weight'"):
        data_for(people, str(tmp_path / "y.csv"))
    (tmp_path / "one.csv").write_text("width\n1\n2\n")
    with pytest.raises(UnknownNameError, match="lacks 3 of the 4 columns"):
        data_for(people, str(tmp_path / "one.csv"))


def test_of_a_file_without_columns_it_is_said_what_it_is(people, tmp_path):
    (tmp_path / "none.csv").write_text("")
    with pytest.raises(DataError, match=r"none\.csv is empty"):
        data_for(people, str(tmp_path / "none.csv"))
    (tmp_path / "other.csv").write_text("width;height;weight;age\n1;2;3;4\n")
    with pytest.raises(DataError, match="separates its columns by ';'"):
        data_for(people, str(tmp_path / "other.csv"))


def test_an_array_for_a_table(people, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((5, 4), np.float32))
    assert values_of(data_for(people, str(tmp_path / "x.npy"))).shape == (5, 4)
    np.save(tmp_path / "y.npy", np.ones((5, 3), np.float32))
    with pytest.raises(DataError, match=r"\(5, 3\).*expects \(N, 4\)"):
        data_for(people, str(tmp_path / "y.npy"))


def test_a_table_without_names(tmp_path, isthmus):
    lines = np.random.default_rng(0).normal(size=(20, 3))
    np.savetxt(tmp_path / "x.csv", lines, delimiter=",")
    quick = ("--epochs", 1, "--threads", 1, "--hidden", 8, "--latent-dim", 2)
    isthmus("fit", tmp_path / "x.csv", *quick, "-o", tmp_path / "run")
    given = data_for(Run.read(tmp_path / "run"), str(tmp_path / "x.csv"))
    np.testing.assert_allclose(values_of(given), lines, rtol=1e-6)


def test_a_file_that_is_not_what_its_name_says(people, tmp_path):
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(DataError, match="Parquet"):
        data_for(people, str(tmp_path / "x.parquet"))
    (tmp_path / "x.csv.gz").write_text("no")
    with pytest.raises(DataError, match="CSV"):
        data_for(people, str(tmp_path / "x.csv.gz"))
