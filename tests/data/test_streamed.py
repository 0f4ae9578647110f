"""Streams: every row once, the same order again, entered at any batch, in bounded memory."""

from __future__ import annotations

import itertools
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from isthmus.data import DataSpec, Reader, Streamed, load, place, split
from isthmus.data.arrow import select
from isthmus.data.readers import ParquetReader
from isthmus.data.request import Request
from isthmus.data.streamed import Rows
from isthmus.errors import DataError, OptionError

N = 2_000


class Counting(Reader):
    """Blocks of consecutive numbers that say which of them were read."""

    def __init__(self, rows: tuple[int, ...], piece: int) -> None:
        self.where = "the numbers"
        self.rows = rows
        self.piece = piece
        self.asked: list[tuple[int, int]] = []

    def read(self, block: int, start: int) -> Iterator[Rows]:
        offset = sum(self.rows[:block])
        self.asked.append((block, start))
        for first in range(start, self.rows[block], self.piece):
            last = min(first + self.piece, self.rows[block])
            yield Rows(torch.arange(offset + first, offset + last).float()[:, None], None)


def counting(rows: tuple[int, ...] = (300, 7, 900, 1, 792), piece: int = 64) -> Streamed:
    spec = DataSpec("table", (1,), "real", sum(rows))
    return Streamed(Counting(rows, piece), spec, window_bytes=4 * 250)


def values(batches: object) -> list[list[float]]:
    return [b.x[:, 0].tolist() for b in batches]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x0 counts the rows, x1 is its square, "group" is text."""
    path = tmp_path_factory.mktemp("stream") / "table.parquet"
    x = np.arange(N, dtype=np.float64)
    columns = {"x0": x, "x1": x**2, "group": [f"g{i % 3}" for i in range(N)]}
    pq.write_table(pa.table(columns), path, row_group_size=170)
    return path


@pytest.fixture(params=["numbers", "parquet whole", "parquet in pieces", "npy"])
def source(request: pytest.FixtureRequest, table: Path, tmp_path: Path) -> Streamed:
    if request.param == "numbers":
        return counting()
    if request.param == "npy":
        path = tmp_path / "x.npy"
        np.save(path, np.stack([np.arange(N), np.arange(N) ** 2], 1).astype(np.float64))
        found = load(path, max_bytes=100)
        assert isinstance(found, Streamed)
        return found
    chosen = select(pq.read_schema(table), Request(drop=("group",)), "table")
    reader = ParquetReader(table, chosen, whole_bytes=2**20 if "whole" in request.param else 1)
    if "pieces" in request.param:
        reader.piece = 48
    return Streamed(reader, DataSpec("table", (2,), "real", N), window_bytes=8 * 300)


def test_an_epoch_has_every_row_once(source: Streamed) -> None:
    batches = values(source.epoch(32, seed=3, epoch=0))
    assert {len(b) for b in batches} == {32}
    assert len(batches) == N // 32
    seen = list(itertools.chain(*batches))
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(range(N))


def test_order_depends_on_seed_and_epoch_alone(source: Streamed) -> None:
    one = values(source.epoch(50, seed=3, epoch=1))
    before = torch.get_rng_state()
    assert values(source.epoch(50, seed=3, epoch=1)) == one
    assert torch.equal(before, torch.get_rng_state())
    assert values(source.epoch(50, seed=3, epoch=2)) != one
    assert values(source.epoch(50, seed=4, epoch=1)) != one


@pytest.mark.parametrize("start", [1, 5, 17, 39, 40, 50])
def test_an_epoch_is_entered_at_any_batch(source: Streamed, start: int) -> None:
    part = source.subset("train", 1, (0.7, 0.1, 0.2))
    for any_source in (source, part):
        whole = values(any_source.epoch(50, seed=3, epoch=1))
        assert values(any_source.epoch(50, seed=3, epoch=1, start=start)) == whole[start:]
        strided = any_source.epoch(50, seed=3, epoch=1, start=start, stride=3)
        assert values(strided) == whole[start::3]


def test_chunks_are_in_stored_order(source: Streamed) -> None:
    chunks = values(source.chunks(150))
    assert list(itertools.chain(*chunks)) == list(range(N))
    assert [len(c) for c in chunks] == [150] * 13 + [50]


def test_parts_are_a_partition(source: Streamed) -> None:
    parts = split(source, seed=8)
    assert parts.record.method == "hash"
    seen = [
        list(itertools.chain(*values(p.chunks(64))))
        for p in (parts.train, parts.validation, parts.test)
    ]
    assert tuple(map(len, seen)) == parts.record.sizes
    assert sorted(itertools.chain(*seen)) == list(range(N))
    epoch = values(parts.train.epoch(16, seed=0, epoch=0))
    assert set(itertools.chain(*epoch)) <= set(seen[0])


def test_a_part_of_a_part_is_drawn_apart() -> None:
    source = counting()
    inner = source.subset("train", 0, (0.5, 0.25, 0.25)).subset("train", 0, (0.5, 0.25, 0.25))
    assert 0.18 < len(inner) / N < 0.32


def test_shuffling_mixes_blocks_and_moves_rows() -> None:
    source = counting((500, 500, 500, 500))
    (first, *_) = values(source.epoch(200, seed=0, epoch=0))
    assert len({int(v) // 500 for v in first}) == 4
    everything = np.concatenate(values(source.epoch(N, seed=0, epoch=0)))
    assert abs(np.corrcoef(everything, np.arange(N))[0, 1]) < 0.9
    assert np.mean(np.diff(everything) == 1) < 0.05


def test_what_can_be_skipped_is_not_read() -> None:
    source = counting((100,) * 20, piece=100)
    reader = source.reader
    assert isinstance(reader, Counting)
    list(source.epoch(10, seed=0, epoch=0, start=190))
    assert len(reader.asked) <= 2


def test_a_huge_block_is_read_once_from_front_to_back() -> None:
    source = counting((N,), piece=10)
    reader = source.reader
    assert isinstance(reader, Counting)
    list(source.epoch(10, seed=0, epoch=0))
    assert reader.asked == [(0, 0)]


def test_a_source_smaller_than_a_batch_is_one_batch() -> None:
    (batch,) = counting((3, 4)).epoch(100, seed=0, epoch=0)
    assert sorted(batch.x.flatten().tolist()) == list(range(7))
    assert place(counting(), "meta").spec.length == N


def test_labels_follow_their_rows(table: Path) -> None:
    source = load(table, label="group", max_bytes=100)
    assert isinstance(source, Streamed)
    assert source.spec.classes == ("g0", "g1", "g2")
    assert [c.name for c in source.spec.columns] == ["x0", "x1"]
    for batch in itertools.chain(source.epoch(64, seed=0, epoch=0), source.chunks(333)):
        assert batch.labels is not None
        assert batch.labels.dtype == torch.int64
        assert (batch.x[:, 0].long() % 3).tolist() == batch.labels.tolist()
        torch.testing.assert_close(batch.x[:, 0] ** 2, batch.x[:, 1])


def test_streamed_equals_resident(table: Path) -> None:
    resident = next(load(table, label="group").chunks(N))
    streamed = next(load(table, label="group", max_bytes=100).chunks(N))
    assert torch.equal(resident.x, streamed.x)
    assert resident.labels is not None
    assert streamed.labels is not None
    assert torch.equal(resident.labels, streamed.labels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, None])
def test_a_bad_value_is_named_when_met(tmp_path: Path, bad: float | None) -> None:
    column: list[float | None] = [float(i) for i in range(500)]
    column[321] = bad
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"good": np.zeros(500), "bad": column}), path, row_group_size=100)
    source = load(path, max_bytes=10)
    with pytest.raises(DataError, match=r"row 321 \(from 0\), column 'bad'"):
        list(source.epoch(10, seed=0, epoch=0))


def test_a_bad_value_in_a_streamed_array(tmp_path: Path) -> None:
    x = np.zeros((100, 3), np.float32)
    x[77, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=r"row 77 \(from 0\), column 2"):
        load(tmp_path / "x.npy", max_bytes=10)


def test_streamed_images(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), np.uint8)
    np.save(tmp_path / "x.npy", x)
    source = load(tmp_path / "x.npy", max_bytes=10, labels=["a", "b"] * 25)
    assert isinstance(source, Streamed)
    assert (source.spec.shape, source.spec.support, source.spec.unit) == ((3, 6, 5), "unit", 255.0)
    (batch,) = source.chunks(50)
    expected = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float64) / 255).float()
    torch.testing.assert_close(batch.x, expected)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1] * 25


def test_a_mapped_array_streams_from_its_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(300.0).reshape(100, 3))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    source = load(mapped, max_bytes=10)
    assert isinstance(source, Streamed)
    assert torch.equal(next(source.chunks(100)).x, torch.arange(300.0).reshape(100, 3))


def test_options_that_a_stream_cannot_take(table: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((10, 3)))
    with pytest.raises(OptionError, match="columns= does not apply"):
        load(tmp_path / "x.npy", max_bytes=10, columns=[0])
    with pytest.raises(DataError, match="labels have to be a column"):
        load(table, drop=["group"], labels=np.zeros(N), max_bytes=10)


class Endless(Reader):
    """24 GB of float32 that are made when they are read."""

    def __init__(self) -> None:
        self.where = "the large file"
        self.rows = (50_000,) * 120
        self.piece = 2_000

    def read(self, block: int, start: int) -> Iterator[Rows]:
        for _ in range(start, self.rows[block], self.piece):
            yield Rows(torch.ones(self.piece, 1_000), None)


def test_memory_stays_bounded() -> None:
    source = Streamed(Endless(), DataSpec("table", (1_000,), "real", 6_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches = source.epoch(500, seed=0, epoch=0, start=3_000)
    assert sum(len(b) for b in itertools.islice(batches, 300)) == 150_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500 * 1024  # KiB, for 600 MB of rows out of 24 GB
