"""Splits: exact, seeded, and the test part apart from the other fractions."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from isthmus.data import DEFAULT_FRACTIONS, PARTS, DataSpec, Resident, SplitRecord, split
from isthmus.data.splits import HashSplit, split_indices, splitmix64, stream_seed
from isthmus.errors import DataError, OptionError, RunError, UnknownNameError


@pytest.mark.parametrize("n", [3, 4, 5, 10, 101, 1797])
def test_parts_are_a_partition_of_the_stated_sizes(n: int) -> None:
    parts = split_indices(n, 7, DEFAULT_FRACTIONS)
    assert torch.cat([parts[p] for p in PARTS]).sort()[0].tolist() == list(range(n))
    assert len(parts["test"]) == max(1, round(0.2 * n))
    assert len(parts["validation"]) == max(1, round(0.1 * n))
    assert all(p.tolist() == sorted(p.tolist()) for p in parts.values())


def test_the_test_part_does_not_depend_on_the_other_fractions() -> None:
    one = split_indices(500, 3, (0.7, 0.1, 0.2))
    other = split_indices(500, 3, (0.5, 0.3, 0.2))
    assert torch.equal(one["test"], other["test"])
    assert not torch.equal(one["test"], split_indices(500, 4, (0.7, 0.1, 0.2))["test"])


def test_the_global_generator_is_untouched() -> None:
    before = torch.get_rng_state()
    split_indices(50, 1, DEFAULT_FRACTIONS)
    assert torch.equal(before, torch.get_rng_state())


def test_a_predefined_test_part_is_kept() -> None:
    parts = split_indices(100, 0, DEFAULT_FRACTIONS, test_from=60)
    assert parts["test"].tolist() == list(range(60, 100))
    assert len(parts["validation"]) == 6
    assert torch.cat([parts["train"], parts["validation"]]).sort()[0].tolist() == list(range(60))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows(n: int) -> None:
    with pytest.raises(DataError, match=f"{n} row"):
        split_indices(n, 0, DEFAULT_FRACTIONS)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.0), (0.7, 0.1, 0.3), (1.2, -0.4, 0.2)])
def test_fractions_that_cannot_be(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(OptionError, match="sum to 1"):
        split_indices(10, 0, fractions)


def test_a_part_that_is_not() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'validation'"):
        split_indices(10, 0, DEFAULT_FRACTIONS)["validatoin"]


def test_splitmix64_gives_the_published_numbers() -> None:
    # The reference generator seeded with 1234567 adds the golden ratio before each output.
    golden = 0x9E3779B97F4A7C15
    states = [(1234567 + i * golden) % 2**64 for i in range(3)]
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert splitmix64(np.array(states, np.uint64)).tolist() == expected


def test_hash_split_is_a_partition_with_the_fractions() -> None:
    rows = np.arange(200_000, dtype=np.uint64)
    kept = {p: HashSplit(p, 5, DEFAULT_FRACTIONS).keep(rows) for p in PARTS}
    assert (sum(k.astype(int) for k in kept.values()) == 1).all()
    for part, fraction in zip(PARTS, DEFAULT_FRACTIONS, strict=True):
        # Five standard deviations of a binomial share.
        margin = 5 * (fraction * (1 - fraction) / len(rows)) ** 0.5
        assert abs(kept[part].mean() - fraction) < margin
    other = HashSplit("test", 5, (0.4, 0.4, 0.2)).keep(rows)
    assert (other == kept["test"]).all()


def test_seeds_of_neighbouring_keys_differ() -> None:
    seeds = {stream_seed(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert min(seeds) >= 0
    assert max(seeds) < 2**63
    assert stream_seed(-1) != stream_seed(1)


def test_the_record_survives_json() -> None:
    source = Resident(torch.zeros(50, 2), DataSpec("table", (2,), "real", 50))
    drawn = split(source, seed=4)
    assert drawn.record == SplitRecord(4, DEFAULT_FRACTIONS, "permutation", (35, 5, 10))
    assert (len(drawn.train), len(drawn.validation), len(drawn.test)) == drawn.record.sizes
    stored = json.loads(json.dumps(drawn.record.to_json()))
    assert SplitRecord.from_json(stored) == drawn.record
    with pytest.raises(RunError, match="sizes"):
        SplitRecord.from_json({"seed": 1, "fractions": [0.7, 0.1, 0.2], "method": "x"})
