"""What data are conditioned on: coded, carried by every source, and coded the same way later."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch

from isthmus.data import DataSpec, load
from isthmus.data.condition import read_condition, translation
from isthmus.errors import DataError, OptionError, UnknownNameError

N = 60


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return {
        "a": rng.normal(size=N),
        "age": rng.normal(40, 10, size=N),
        "b": rng.normal(size=N),
        "sex": rng.choice(["f", "m"], size=N),
        "y": rng.integers(0, 3, size=N),
    }


def whole(source):
    batches = list(source.chunks(7))
    return torch.cat([b.x for b in batches]), torch.cat([b.condition for b in batches])


def expected(table):
    age = (table["age"] - table["age"].mean()) / table["age"].std()
    sex = np.stack([table["sex"] == "f", table["sex"] == "m"], 1)
    return np.concatenate([np.eye(3)[table["y"]], age[:, None], sex], 1)


CONDITION = ["label", "age", "sex"]


def as_frame(table, tmp_path):
    return pa.table(table)


def as_csv(table, tmp_path):
    import pyarrow.csv as csv

    csv.write_csv(pa.table(table), tmp_path / "t.csv")
    return tmp_path / "t.csv"


def as_parquet(table, tmp_path):
    pq.write_table(pa.table(table), tmp_path / "t.parquet", row_group_size=17)
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("form", [as_frame, as_csv, as_parquet])
def test_labels_numbers_and_text_of_a_table(form, table, tmp_path):
    source = load(form(table, tmp_path), label="y", condition=CONDITION)
    x, condition = whole(source)
    np.testing.assert_allclose(x, np.stack([table["a"], table["b"]], 1), rtol=1e-6)
    np.testing.assert_allclose(condition, expected(table), atol=1e-6)
    assert [c.name for c in source.spec.columns] == ["a", "b"]
    assert [c.name for c in source.spec.condition] == CONDITION
    assert source.spec.condition_dim == 6
    again = DataSpec.from_json(json.loads(json.dumps(source.spec.to_json())))
    assert again == source.spec


def test_epochs_and_parts_keep_each_datum_s_condition(table):
    source = load(pa.table(table), label="y", condition=CONDITION)
    by_x = {float(x[0]): c for x, c in zip(*whole(source), strict=True)}
    for part in ("train", "validation", "test"):
        chosen = source.subset(part, 0, (0.6, 0.2, 0.2))
        for batch in chosen.epoch(5, seed=1, epoch=2):
            for x, condition in zip(batch.x, batch.condition, strict=True):
                assert torch.equal(condition, by_x[float(x[0])])


def test_a_streamed_table_carries_its_columns_and_labels(table, tmp_path):
    path = as_parquet(table, tmp_path)
    options = {"label": "y", "condition": ["label", "age"], "drop": ["sex"]}
    source = load(path, max_bytes=100, **options)
    assert source.split_method == "hash"
    x, condition = whole(source)
    np.testing.assert_allclose(x, np.stack([table["a"], table["b"]], 1), rtol=1e-6)
    np.testing.assert_allclose(condition, expected(table)[:, :4], atol=1e-5)
    train = source.subset("train", 0, (0.6, 0.2, 0.2))
    by_x = {float(row[0]): c for row, c in zip(x, condition, strict=True)}
    batches = list(train.epoch(4, seed=0, epoch=0))
    assert sum(map(len, batches)) > 4
    for batch in batches:
        assert batch.x.shape[1:] == train.spec.shape == (2,)
        for row, c in zip(batch.x, batch.condition, strict=True):
            assert torch.equal(c, by_x[float(row[0])])


def test_an_array_s_columns_and_an_array_beside_it():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 4)).astype(np.float32)
    source = load(x, condition=["2"])
    rest, condition = whole(source)
    np.testing.assert_array_equal(rest, x[:, [0, 1, 3]])
    scaled = (x[:, 2] - x[:, 2].mean()) / x[:, 2].std()
    np.testing.assert_allclose(condition[:, 0], scaled, atol=1e-5)
    beside = rng.normal(size=(N, 2))
    _, condition = whole(load(x, condition=beside))
    np.testing.assert_allclose(condition, (beside - beside.mean(0)) / beside.std(0), atol=1e-6)


@pytest.mark.parametrize("value", [0.1, 0.3, 1e9 + 0.7])
def test_equal_numbers_are_not_divided_by_their_rounding(value):
    given = np.full(N, value)
    source = load(np.random.default_rng(1).normal(size=(N, 2)), condition=given)
    assert source.spec.condition[0].scale == 1.0
    np.testing.assert_allclose(whole(source)[1], 0.0, atol=1e-6)


def test_sparse_rows_and_sprites_are_conditioned_too():
    counts = scipy.sparse.random(N, 5, 0.5, "csr", random_state=0)
    batch_of = np.array(["lab 1", "lab 2"] * (N // 2))
    _, condition = whole(load(counts, condition=batch_of))
    np.testing.assert_array_equal(condition.argmax(1), [0, 1] * (N // 2))
    sprites = load("shapes", condition="label")
    batch = next(sprites.subset("test", 0, (0.7, 0.1, 0.2)).epoch(16, seed=0, epoch=0))
    assert torch.equal(batch.condition.argmax(1), batch.labels)


def test_missing_text_is_refused_or_a_code_of_zeros():
    x = np.zeros((4, 2), np.float32)
    words = np.array(["a", None, "b", "a"], object)
    with pytest.raises(DataError, match=r"missing in row 1"):
        load(x, condition=words)
    _, condition = whole(load(x, condition=words, missing=True))
    np.testing.assert_array_equal(condition, [[1, 0], [0, 0], [0, 1], [1, 0]])


def test_what_cannot_be_a_condition_is_refused(table):
    x = np.zeros((N, 2), np.float32)
    with pytest.raises(DataError, match="no labels to be conditioned on"):
        load(x, condition="label")
    with pytest.raises(DataError, match="one row for each"):
        load(x, condition=np.zeros(3))
    with pytest.raises(UnknownNameError, match="Did you mean 'age'"):
        load(pa.table(table), label="y", condition="agee")


def test_other_data_are_coded_as_the_training_data_were(table):
    theirs = load(pa.table(table), label="y", condition=CONDITION)
    few = {k: v[table["y"] != 1][:20] for k, v in table.items()}
    ours = load(pa.table(few), label="y", condition=CONDITION)
    assert ours.spec.condition != theirs.spec.condition
    translated = translation(ours.spec.condition, theirs.spec.condition)(whole(ours)[1])
    np.testing.assert_allclose(translated, expected(table)[table["y"] != 1][:20], atol=1e-5)
    with pytest.raises(UnknownNameError, match="value of label '1'"):
        translation(theirs.spec.condition, ours.spec.condition)


def test_a_condition_from_text(table):
    columns = load(pa.table(table), label="y", condition=CONDITION).spec.condition
    age = (50 - table["age"].mean()) / table["age"].std()
    wanted = [0, 0, 1, age, 0, 1]
    np.testing.assert_allclose(read_condition(columns, "2,50,m"), wanted, rtol=1e-6)
    np.testing.assert_allclose(read_condition(columns, "sex=m, label=2,age=50"), wanted, rtol=1e-6)
    for text in ("2,50", "sex=m,age=50", "2,old,m"):
        with pytest.raises(OptionError):
            read_condition(columns, text)
    with pytest.raises(UnknownNameError, match="Known: f, m"):
        read_condition(columns, "2,50,x")
    with pytest.raises(OptionError, match="not conditioned on anything"):
        read_condition((), "3")
