"""Data in memory: the order of an epoch, resuming, units, subsets."""

from __future__ import annotations

import pytest
import torch

from isthmus.data import DataSpec, Resident, Streamed, load, place, split
from isthmus.data.resident import stored


def numbered(n: int = 23) -> Resident:
    x = torch.arange(n, dtype=torch.float32)[:, None]
    spec = DataSpec("table", (1,), "real", n, factors=(("row", n),))
    return Resident(x, spec, labels=torch.arange(n), factors=torch.arange(n)[:, None])


def rows(batches: object) -> list[list[float]]:
    return [b.x.flatten().tolist() for b in batches]  # type: ignore[attr-defined]


def test_an_epoch_is_exact_batches_of_different_rows() -> None:
    batches = list(numbered().epoch(5, seed=1, epoch=0))
    assert [len(b) for b in batches] == [5, 5, 5, 5]
    seen = torch.cat([b.x.flatten() for b in batches])
    assert len(seen.unique()) == 20
    for b in batches:
        assert b.labels is not None
        assert b.factors is not None
        assert b.labels.tolist() == b.factors.flatten().tolist() == b.x.flatten().tolist()


def test_order_depends_on_seed_and_epoch_alone() -> None:
    source = numbered()
    one = rows(source.epoch(5, seed=1, epoch=0))
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert rows(source.epoch(5, seed=1, epoch=0)) == one
    assert torch.equal(before, torch.get_rng_state())
    assert rows(source.epoch(5, seed=1, epoch=1)) != one
    assert rows(source.epoch(5, seed=2, epoch=0)) != one
    assert rows(source.epoch(5, seed=0, epoch=1)) != rows(source.epoch(5, seed=1, epoch=0))


@pytest.mark.parametrize("start", [0, 1, 3, 4, 7])
def test_an_epoch_is_entered_at_any_batch(start: int) -> None:
    source = numbered()
    whole = rows(source.epoch(5, seed=1, epoch=2))
    assert rows(source.epoch(5, seed=1, epoch=2, start=start)) == whole[start:]
    assert rows(source.epoch(5, seed=1, epoch=2, start=start, stride=2)) == whole[start::2]


def test_a_source_smaller_than_a_batch_is_one_batch() -> None:
    (batch,) = numbered(4).epoch(100, seed=0, epoch=0)
    assert sorted(batch.x.flatten().tolist()) == [0, 1, 2, 3]


def test_chunks_keep_the_order_and_the_rest() -> None:
    chunks = list(numbered().chunks(10))
    assert [len(c) for c in chunks] == [10, 10, 3]
    assert torch.cat([c.x for c in chunks]).flatten().tolist() == list(range(23))


def test_bytes_are_divided_by_the_unit() -> None:
    x = torch.tensor([[[[0, 51]]], [[[255, 102]]], [[[0, 0]]]], dtype=torch.uint8)
    source = Resident(x, DataSpec("image", (1, 1, 2), "unit", 3, unit=255.0))
    (batch,) = source.chunks(3)
    assert batch.x.dtype == torch.float32
    torch.testing.assert_close(batch.x, x.double().div(255).float())
    torch.testing.assert_close(stored(x, 255.0), batch.x)
    assert source.x.dtype == torch.uint8


def test_subsets_carry_everything_along() -> None:
    source = numbered(30)
    parts = split(source, seed=2)
    for part in (parts.train, parts.validation, parts.test):
        (batch,) = part.chunks(100)
        assert len(part) == len(batch)
        assert batch.labels is not None
        assert batch.labels.tolist() == batch.x.flatten().tolist()
        assert part.spec.factors == (("row", 30),)


def test_a_predefined_test_part_is_honoured() -> None:
    source = numbered(30)
    fixed = Resident(source.x, source.spec, test_from=20)
    parts = split(fixed)
    assert parts.record.method == "predefined"
    assert parts.record.sizes == (18, 2, 10)
    assert next(parts.test.chunks(99)).x.flatten().tolist() == list(range(20, 30))


def test_place_moves_what_is_resident_only(tmp_path: object) -> None:
    moved = place(numbered(), "meta")
    assert isinstance(moved, Resident)
    assert moved.x.device.type == "meta"
    assert moved.labels is not None
    assert moved.labels.device.type == "meta"
    drawn = load("shapes")
    assert place(drawn, "meta") is drawn
    assert not isinstance(drawn, Streamed)
