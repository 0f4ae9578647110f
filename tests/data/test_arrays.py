"""What kind of data an array holds, and what is refused of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.data import Resident, Source, load
from isthmus.errors import DataError, OptionError, UnknownNameError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (6, 5, 4), np.uint8)
REALS = RNG.normal(size=(6, 5))
UNITS = RNG.random((6, 5, 4))


def facts(source: Source) -> tuple[str, str, tuple[int, ...], float]:
    return source.spec.kind, source.spec.support, source.spec.shape, source.spec.unit


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (REALS, ("table", "real", (5,), 1.0)),
        (REALS.astype(np.float16), ("table", "real", (5,), 1.0)),
        (RNG.random((6, 5)), ("table", "real", (5,), 1.0)),
        (RNG.integers(0, 2, (6, 5)), ("table", "binary", (5,), 1.0)),
        (RNG.integers(0, 2, (6, 5)).astype(bool), ("table", "binary", (5,), 1.0)),
        (RNG.integers(0, 9, (6, 5)), ("table", "real", (5,), 1.0)),
        (BYTES, ("image", "unit", (1, 5, 4), 255.0)),
        (BYTES.astype(np.int64), ("image", "unit", (1, 5, 4), 255.0)),
        ((BYTES > 99).astype(np.uint8), ("image", "binary", (1, 5, 4), 1.0)),
        ((BYTES > 99).astype(np.uint8) * 255, ("image", "binary", (1, 5, 4), 255.0)),
        (BYTES > 99, ("image", "binary", (1, 5, 4), 1.0)),
        (UNITS, ("image", "unit", (1, 5, 4), 1.0)),
        (UNITS.round(), ("image", "binary", (1, 5, 4), 1.0)),
        (UNITS * 2 - 1, ("image", "real", (1, 5, 4), 1.0)),
        (RNG.random((6, 5, 4, 3)), ("image", "unit", (3, 5, 4), 1.0)),
        (RNG.random((6, 3, 5, 7)), ("image", "unit", (3, 5, 7), 1.0)),
        (RNG.random((6, 5, 7, 1)), ("image", "unit", (1, 5, 7), 1.0)),
        (RNG.integers(0, 256, (6, 4, 5, 7), np.uint8), ("image", "unit", (4, 5, 7), 255.0)),
    ],
)
def test_kind_and_support(array: np.ndarray, expected: tuple[object, ...]) -> None:
    for given in (array, torch.from_numpy(array)):
        source = load(given)
        assert facts(source) == expected
        (batch,) = source.chunks(10)
        assert batch.x.dtype == torch.float32
        assert batch.x.shape == (6, *source.spec.shape)
        unit = source.spec.unit
        want = array.astype(np.float64).sum() / unit
        assert float(batch.x.double().sum()) == pytest.approx(want, rel=1e-5)


def test_channels_last_becomes_channels_first() -> None:
    x = RNG.random((6, 5, 7, 3))
    (batch,) = load(x).chunks(6)
    np.testing.assert_allclose(batch.x.numpy(), x.transpose(0, 3, 1, 2), rtol=1e-6)


def test_the_caller_can_say_what_it_is() -> None:
    counts = RNG.integers(0, 9, (6, 5))
    assert facts(load(counts, kind="counts")) == ("counts", "count", (5,), 1.0)
    assert facts(load(UNITS, kind="table")) == ("table", "real", (20,), 1.0)
    assert facts(load(RNG.random((6, 5)), support="unit"))[1] == "unit"
    assert facts(load(UNITS, support="real"))[1] == "real"


def test_the_input_is_neither_changed_nor_shared() -> None:
    x = RNG.random((6, 5)).astype(np.float32)
    source = load(x)
    assert isinstance(source, Resident)
    source.x.zero_()
    assert x.any()


def test_labels_of_any_type() -> None:
    for labels in (["b", "a", "b", "c", "a", "a"], np.array([7, 3, 7, 9, 3, 3])):
        source = load(REALS, labels=labels)
        assert isinstance(source, Resident)
        assert source.labels is not None
        assert source.labels.tolist() == [1, 0, 1, 2, 0, 0]
    assert source.spec.classes == ("3", "7", "9")
    assert load(REALS, labels=np.array([1.0, 2, 1, 2, 1, 2])).spec.classes == ("1", "2")
    assert load(REALS, labels=[True, False] * 3).spec.classes == ("False", "True")


def test_columns_by_number() -> None:
    (batch,) = load(REALS, columns=[3, 1]).chunks(6)
    np.testing.assert_allclose(batch.x.numpy(), REALS[:, [3, 1]], rtol=1e-6)
    dropped = load(REALS, drop=[0, 2])
    assert [c.name for c in dropped.spec.columns] == ["1", "3", "4"]
    with pytest.raises(UnknownNameError, match="'9'"):
        load(REALS, columns=[9])


def test_images_are_resized_on_request() -> None:
    x = np.full((4, 8, 6), 255, np.uint8)
    x[0] = 0
    source = load(x, image_size=(4, 3))
    assert facts(source)[2] == (1, 4, 3)
    (batch,) = source.chunks(4)
    assert batch.x.flatten(1).mean(1).tolist() == [0, 1, 1, 1]


def test_a_constant_column_is_said() -> None:
    x = np.column_stack([REALS, np.full(6, 3.0)])
    assert load(x).notes == ("1 column has the same value in every row (5)",)


def test_rows_that_look_like_counts_are_said_and_not_changed() -> None:
    bags = np.array([[0, 3, 0], [0, 0, 1], [2, 0, 0], [0, 0, 5]])
    read = load(bags)
    assert (read.spec.kind, read.spec.support) == ("table", "real")
    assert [note for note in read.notes if "kind='counts'" in note]
    for silent in (bags - 1, bags + 0.5, bags + 1, np.minimum(bags, 1)):
        assert not [note for note in load(silent).notes if "counts" in note]
    assert not [note for note in load(bags, kind="counts").notes if "kind=" in note]
    assert not [note for note in load(bags, support="real").notes if "kind=" in note]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"shape \(5,\); expected at least two axes"),
        (np.zeros((0, 4)), "is empty: it has no rows"),
        (np.zeros((4, 0)), "no columns"),
        (np.zeros((1, 4)), "has one row; at least 3"),
        (np.zeros((2, 4)), "has 2 rows; at least 3"),
        (np.array([["a", "b"]] * 4), r"holds text.*\('a' in row 0 \(from 0\), column 0\)"),
        (np.array([[1, "x"]] * 4, dtype=object), "'x' in row 0"),
        (np.zeros((4, 2), complex), "complex"),
        (np.zeros((4, 5, 5, 7)), "1, 3 or 4 channels"),
        (np.zeros((4, 1, 5, 5, 3)), "images are"),
    ],
)
def test_refusals(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(array)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_bad_values_are_named_and_counted(bad: float) -> None:
    x = np.zeros((50, 4))
    x[[17, 30], [2, 0]] = bad
    with pytest.raises(DataError, match=r"row 17 \(from 0\), column 2; 2 such values in all"):
        load(x)
    images = np.zeros((50, 4, 4))
    images[9, 1, 3] = bad
    with pytest.raises(DataError, match=r"row 9 \(from 0\), element \(0, 1, 3\)"):
        load(images)


def test_values_outside_the_stated_support() -> None:
    x = np.zeros((9, 2))
    x[4, 1] = 1.5
    for support in ("unit", "binary"):
        with pytest.raises(DataError, match=r"the value 1.5 in row 4 \(from 0\), column 1"):
            load(x, support=support)
    with pytest.raises(DataError, match="whole numbers from 0 up"):
        load(x, kind="counts")
    with pytest.raises(DataError, match="the value -1"):
        load(np.where(x > 0, -1, x), kind="counts")


def test_words_that_are_not_known() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'image'"):
        load(REALS, kind="imgae")
    with pytest.raises(UnknownNameError, match="Did you mean 'binary'"):
        load(REALS, support="binry")
    with pytest.raises(OptionError, match="label= does not apply to arrays"):
        load(REALS, label="y")
    with pytest.raises(OptionError, match="n= is an option of named data sets"):
        load(REALS, n=5)
    with pytest.raises(OptionError, match="image_size="):
        load(UNITS, image_size=0)
    with pytest.raises(DataError, match="images are"):
        load(REALS, kind="image")
    with pytest.raises(DataError, match=r"expected an array"):
        load(object())


def test_labels_that_cannot_be() -> None:
    with pytest.raises(DataError, match="6 rows but labels of shape"):
        load(REALS, labels=[1, 2, 3])
    with pytest.raises(DataError, match=r"label of row 2 \(from 0\) is missing"):
        load(REALS, labels=[0, 1, np.nan, 0, 1, 1])
    with pytest.raises(DataError, match=r"label of row 1 \(from 0\) is missing"):
        load(REALS, labels=["a", None, "b", "a", "b", "a"])
    with pytest.raises(DataError, match="different values"):
        load(np.zeros((10_001, 1)), labels=np.arange(10_001))


@pytest.mark.parametrize(
    ("images", "noted"),
    [
        (np.arange(128.0).reshape(2, 8, 8) * 2, True),
        (np.arange(128.0).reshape(2, 8, 8) * 2 + 0.5, False),
        (np.arange(128.0).reshape(2, 8, 8) * 3, False),
        (np.arange(128.0).reshape(2, 8, 8) - 64, False),
        (np.arange(128, dtype=np.uint8).reshape(2, 8, 8), False),
        (np.arange(128.0).reshape(2, 8, 8) / 127, False),
    ],
)
def test_whole_levels_as_floats_are_noted(images, noted):
    source = load(np.concatenate([images, images]))
    assert any("divide by 255" in note for note in source.notes) == noted


def test_what_could_be_read_as_a_gap_is_told_how():
    x = np.ones((5, 2))
    x[1, 1] = np.nan
    with pytest.raises(DataError, match="recipe miwae-imputation"):
        load(x)
    x[1, 1] = np.inf
    with pytest.raises(DataError, match=r"fill or remove it\.$"):
        load(x)


@pytest.mark.parametrize(("value", "noted"), [(1e12, True), (-5000.0, True), (500.0, False)])
def test_a_value_far_from_all_others_is_noted(value, noted):
    x = np.random.default_rng(0).normal(size=(200, 3))
    x[:, 2] *= 1e-6
    x[9, 0] = np.nan
    x[7, 1] = value
    notes = load(x, missing=True).notes
    said = [note for note in notes if "standard deviations away" in note]
    assert len(said) == noted
    assert all(f"column 1 holds {value:.4g} in row 7" in note for note in said)


def test_a_rare_flag_is_no_extreme():
    x = np.random.default_rng(0).normal(size=(5000, 2))
    x[:, 1] = 0
    x[3, 1] = 1
    assert not any("standard deviations away" in note for note in load(x).notes)
