"""One door: paths, names, frames, archives, tables; and what each refuses."""

from __future__ import annotations

import gzip
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch

from isthmus.data import Resident, Source, Sparse, load, sparse
from isthmus.errors import DataError, OptionError, UnknownNameError

RNG = np.random.default_rng(1)
X = RNG.normal(size=(8, 3))
Y = np.array(["cat", "dog"] * 4)
# The start of a compressed table; without a time in it every process makes the same.
CUT = gzip.compress(b"a,b\n" + b"1,2\n" * 5000, mtime=0)[:-20]
FRAME = pd.DataFrame({"a": X[:, 0], "b": np.arange(8), "flag": [True, False] * 4, "kind": Y})


def whole(source: Source) -> torch.Tensor:
    return next(source.chunks(1000)).x


def labels(source: Source) -> list[int]:
    found = next(source.chunks(1000)).labels
    assert found is not None
    return found.tolist()


EXPECTED = np.column_stack([X[:, 0], np.arange(8), [1, 0] * 4])


def write_table(folder: Path, kind: str) -> object:
    path = folder / f"animals.{kind}"
    match kind:
        case "csv" | "csv.gz":
            FRAME.to_csv(path, index=False)
        case "tsv":
            FRAME.to_csv(path, index=False, sep="\t")
        case "parquet":
            FRAME.to_parquet(path)
        case "pandas":
            return FRAME.assign(kind=FRAME["kind"].astype("category"))
        case "polars":
            return pl.DataFrame(FRAME.to_dict("list"))
        case "arrow":
            return pa.Table.from_pandas(FRAME, preserve_index=False)
    return path


@pytest.mark.parametrize(("name", "mark"), [("t.csv", ";"), ("t.csv", "\t"), ("t.tsv", ",")])
def test_a_table_of_other_separators_says_so(name, mark, tmp_path):
    FRAME.to_csv(tmp_path / name, index=False, sep=mark)
    with pytest.raises(DataError, match=re.escape(f"separates its columns by {mark!r}")):
        load(tmp_path / name)


def test_a_date_where_numbers_belong_is_shown_as_it_stands(tmp_path):
    (tmp_path / "t.csv").write_text("a,day\n1,2020-01-31\n2,2020-02-01\n3,2020-02-02\n")
    with pytest.raises(DataError, match="column 'day' holds '2020-01-31' in row 0"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "parquet", "pandas", "polars", "arrow"])
def test_tables(tmp_path: Path, kind: str) -> None:
    what = write_table(tmp_path, kind)
    source = load(what, label="kind")
    np.testing.assert_allclose(whole(source).numpy(), EXPECTED, rtol=1e-6)
    assert [c.name for c in source.spec.columns] == ["a", "b", "flag"]
    assert (source.spec.kind, source.spec.support) == ("table", "real")
    assert source.spec.classes == ("cat", "dog")
    assert labels(source) == [0, 1] * 4
    if isinstance(what, Path):
        assert source.spec.name == "animals"
        assert load(str(what), label="kind", name="pets").spec.name == "pets"

    chosen = load(what, columns=["b", "a"])
    np.testing.assert_allclose(whole(chosen).numpy(), EXPECTED[:, [1, 0]], rtol=1e-6)
    assert [c.name for c in load(what, drop=["kind", "a"]).spec.columns] == ["b", "flag"]
    with pytest.raises(DataError, match=r"column 'kind' holds 'cat' in row 0.*\(drop, columns\)"):
        load(what)
    with pytest.raises(UnknownNameError, match="Did you mean 'kind'"):
        load(what, label="knd")
    with pytest.raises(OptionError, match="grey= does not apply"):
        load(what, label="kind", grey=True)


@pytest.mark.parametrize("kind", ["csv", "parquet", "pandas", "polars"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, None])
def test_bad_values_in_tables(tmp_path: Path, kind: str, bad: float | None) -> None:
    values: list[float | None] = [0.0, 1.0, 2.0, bad, 4.0, bad]
    frame: object = pd.DataFrame({"id": range(6), "size": values})
    if kind == "polars":
        frame = pl.DataFrame({"id": range(6), "size": values})
    if kind == "csv":
        pd.DataFrame({"id": range(6), "size": values}).to_csv(tmp_path / "t.csv", index=False)
        frame = tmp_path / "t.csv"
    if kind == "parquet":
        pq.write_table(pa.table({"id": range(6), "size": values}), tmp_path / "t.parquet")
        frame = tmp_path / "t.parquet"
    with pytest.raises(DataError, match=r"row 3 \(from 0\), column 'size'; 2 such values in all"):
        load(frame)


def test_one_word_in_a_column_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n5,unknown\n7,8\n")
    with pytest.raises(DataError, match=r"column 'b' holds 'unknown' in row 2 \(from 0\)"):
        load(path)
    mixed = pd.DataFrame({"a": [1, 2, 3, 4], "b": pd.Series([1, "x", 2.5, None], dtype=object)})
    with pytest.raises(DataError, match=r"column 'b' holds 'x' in row 1"):
        load(mixed)


def test_missing_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,u\n2,\n3,v\n")
    with pytest.raises(DataError, match=r"label in row 1 \(from 0\), column 'y', is missing"):
        load(path, label="y")


def test_csv_without_a_header_or_with_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    np.savetxt(path, X, delimiter=",")
    source = load(path)
    np.testing.assert_allclose(whole(source).numpy(), X, rtol=1e-6)
    assert "first line holds numbers" in source.notes[0]
    FRAME.drop(columns="kind").to_csv(path)
    source = load(path)
    np.testing.assert_allclose(whole(source).numpy(), EXPECTED, rtol=1e-6)
    assert source.notes == ("the first column, which only counts the rows, was left out",)


def test_a_first_line_that_counts_the_columns_is_one_of_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame(X).to_csv(path, index=False)
    source = load(path)
    np.testing.assert_allclose(whole(source).numpy(), X, rtol=1e-6)
    assert [c.name for c in source.spec.columns] == ["0", "1", "2"]
    assert source.notes == ()


@pytest.mark.parametrize("form", ["array", "frame", "csv", "parquet", "lists"])
def test_numbers_that_32_bits_cannot_tell_apart_are_said(tmp_path: Path, form: str) -> None:
    times = 1.7e9 + 10.0 * np.arange(100)
    blurred = len(set(times.astype(np.float32).tolist()))
    rows = np.column_stack([np.sin(times), times])
    frame, path = pd.DataFrame(rows, columns=["a", "t"]), tmp_path / f"t.{form}"
    name, what = "'t'", frame
    if form == "array":
        name, what = "1", rows
    elif form == "csv":
        frame.to_csv(path, index=False)
        what = path
    elif form == "parquet":
        frame.to_parquet(path)
        what = path
    elif form == "lists":
        pairs = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 2)
        what = path.with_suffix(".parquet")
        pq.write_table(pa.table({"c": pairs}), what)
        name = "'c[1]'"
    (note,) = load(what).notes
    assert f"column {name} holds 100 different numbers near 1.7e+09" in note
    assert f"which are {blurred} as 32-bit floats" in note


def test_large_numbers_that_32_bits_hold_are_not_remarked_on() -> None:
    rng = np.random.default_rng(0)
    whole_numbers = 2.0**23 + rng.integers(0, 9, (50, 2))
    years = 2000.0 + rng.integers(0, 30, (50, 2))
    assert load(np.hstack([whole_numbers, years])).notes == ()
    assert "same value" in load(np.full((9, 1), 0.1)).notes[0]
    gaps = np.column_stack([rng.normal(size=9), np.full(9, np.nan)])
    assert not any("32-bit" in note for note in load(gaps, missing=True).notes)


def test_a_table_of_truth_values_is_binary() -> None:
    assert load(FRAME[["flag"]]).spec.support == "binary"
    assert load(FRAME[["b"]], kind="counts").spec.support == "count"


def test_lists_of_fixed_size_become_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 3)
    pq.write_table(pa.table({"n": np.arange(8), "code": lists}), path)
    source = load(path)
    assert [c.name for c in source.spec.columns] == ["n", "code[0]", "code[1]", "code[2]"]
    np.testing.assert_allclose(whole(source)[:, 1:].numpy(), X, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "is empty: it has no rows"),
        ("a,b\n1,2\n", "has one row"),
        ("a,a\n1,2\n3,4\n5,6\n", "more than one column called 'a'"),
        ("a,b\n1,2\n3\n5,6\n", "not a readable CSV file"),
        ("", r"is empty \(0 bytes\)"),
    ],
)
def test_csv_refusals(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_csv_too_large_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 100)
    with pytest.raises(DataError, match="as Parquet"):
        load(path, max_bytes=10)


def zipped(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


OBJECTS = np.array([[1, "a"], [2, None], [3, 4]], dtype=object)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"1,2\n3,4\n", "is not a .npy file, whatever its name says"),
        ("x.npy", saved(X)[:60], "not a readable .npy"),
        ("x.npy", saved(X)[:-40], "not a readable .npy"),
        ("x.npy", saved(OBJECTS), "never unpickled"),
        ("x.npy", pickle.dumps(X), "whatever its name says"),
        ("x.npz", zipped(x=X)[:-60], "not a readable .npz"),
        ("x.npz", zipped(x=OBJECTS), "never unpickled"),
        ("x.npz", pickle.dumps(X), "never unpickled"),
        ("x.npz", saved(X), "call it .npy"),
        ("x.npz", b"hello", "x.npz"),
        ("x.npz", zipped(one=X, two=X), "holds the arrays one, two"),
        ("x.npz", zipped(x=X, y=np.zeros(3)), "8 rows but labels of shape"),
        ("x.parquet", b"a,b\n1,2\n", "not a readable Parquet"),
        ("x.csv.gz", b"a,b\n1,2\n", "not a readable CSV"),
        ("x.csv.gz", CUT, "not a readable CSV"),
        ("x.xlsx", b"PK", "not known; expected one of"),
        ("x", b"PK", "not known"),
    ],
)
def test_files_that_are_not_what_they_say(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_damage_inside_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": RNG.normal(size=5000)}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    for limit in (2**30, 10):
        with pytest.raises(DataError, match=str(path)):
            list(load(path, max_bytes=limit).chunks(100))


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", X)
    source = load(tmp_path / "codes.npy", labels=Y)
    np.testing.assert_allclose(whole(source).numpy(), X, rtol=1e-6)
    assert source.spec.name == "codes"
    np.save(tmp_path / "codes.npy", np.asfortranarray(X))
    np.testing.assert_allclose(whole(load(tmp_path / "codes.npy")).numpy(), X, rtol=1e-6)
    with pytest.raises(DataError, match="Fortran"):
        load(tmp_path / "codes.npy", max_bytes=10)


@pytest.mark.parametrize("key", ["x", "X", "data", "train_images", "x_train", "only"])
def test_npz_keys(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "a.npz", **{key: X})
    np.testing.assert_allclose(whole(load(tmp_path / "a.npz")).numpy(), X, rtol=1e-6)


def test_npz_with_labels_names_and_a_test_part(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    images = RNG.integers(0, 256, (9, 4, 4), np.uint8)
    np.savez(
        path,
        train_images=images[:5],
        test_images=images[5:],
        train_labels=np.array([0, 1, 0, 1, 0]),
        test_labels=np.array([1, 1, 1, 1]),
        class_names=np.array(["no", "yes"]),
    )
    source = load(path)
    assert isinstance(source, Resident)
    assert (source.test_from, source.spec.classes) == (5, ("no", "yes"))
    assert labels(source) == [0, 1, 0, 1, 0, 1, 1, 1, 1]
    assert len(source.subset("test", 0, (0.7, 0.1, 0.2))) == 4
    np.savez(path, x=X, y=Y)
    assert load(path).spec.classes == ("cat", "dog")
    assert load(path, labels=[0, 0, 1, 1, 2, 2, 3, 3]).spec.classes == ("0", "1", "2", "3")


COUNTS = scipy.sparse.random_array(
    (40, 30), density=0.2, rng=3, data_sampler=lambda size: RNG.integers(1, 9, size)
)


@pytest.mark.parametrize("small", [True, False])
def test_sparse_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    if not small:
        monkeypatch.setattr(sparse, "DENSE_BYTES", 10)
    path = tmp_path / "words.npz"
    scipy.sparse.save_npz(path, COUNTS.tocsr())
    dense = COUNTS.toarray()
    y = np.arange(40) % 4
    for what in (COUNTS, COUNTS.tocsc(), path):
        source = load(what, labels=y)
        assert isinstance(source, Resident if small else Sparse)
        assert (source.spec.kind, source.spec.support) == ("counts", "count")
        np.testing.assert_array_equal(whole(source).numpy(), dense)
        batches = list(source.epoch(7, seed=0, epoch=0))
        assert [b.x.tolist() for b in source.epoch(7, seed=0, epoch=0, start=2)] == [
            b.x.tolist() for b in batches[2:]
        ]
        part = source.subset("test", 0, (0.7, 0.1, 0.2))
        assert len(part) == 8
        rows = {tuple(r) for r in dense.tolist()}
        assert {tuple(r) for r in whole(part).tolist()} <= rows


def test_sparse_reals_and_refusals() -> None:
    reals = scipy.sparse.csr_array(COUNTS) * 0.5
    assert (load(reals).spec.kind, load(reals).spec.support) == ("table", "real")
    bad = scipy.sparse.csr_array(COUNTS).astype(float)
    bad.data[bad.indptr[7]] = np.nan
    column = bad.indices[bad.indptr[7]]
    with pytest.raises(DataError, match=rf"nan in row 7 \(from 0\), column {column}"):
        load(bad)
    with pytest.raises(DataError, match="'count' does not hold"):
        load(reals, kind="counts")
    with pytest.raises(DataError, match="holds no images"):
        load(reals, kind="image")
    with pytest.raises(DataError, match="one row"):
        load(scipy.sparse.csr_array((1, 4)))
    empty = scipy.sparse.csr_array(np.diag([1, 2, 0, 0]))
    assert load(empty).notes == (
        "2 of 4 columns are 0 in every row",
        "2 of 4 rows are empty (all 0)",
    )


def test_missing_files_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "digits_train.npy", X)
    with pytest.raises(DataError, match=r"Did you mean '.*digits_train.npy'"):
        load(tmp_path / "digit_train.npy")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Did you mean 'digits'"):
        load("digit")
    with pytest.raises(DataError, match="Did you mean 'fashion-mnist'"):
        load("fashion_mnist")
    with pytest.raises(DataError, match="folder 'nowhere' does not exist"):
        load("nowhere/x.csv")
    with pytest.raises(DataError, match="name of the data is empty"):
        load("")


def test_a_source_passes_through() -> None:
    source = load(X)
    assert load(source) is source
    with pytest.raises(OptionError, match="columns="):
        load(source, columns=[0])
