"""Data drawn anew in every epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from isthmus.data import DEFAULT_FRACTIONS, Resident, load
from isthmus.data.binarized import Binarized
from isthmus.errors import DataError


@pytest.fixture
def greys() -> Resident:
    x = np.random.default_rng(0).random((40, 5, 6)).astype(np.float32)
    source = load(x)
    assert isinstance(source, Resident)
    return source


def _epoch(source: Binarized, epoch: int, start: int = 0, stride: int = 1) -> list[torch.Tensor]:
    return [b.x for b in source.epoch(8, seed=3, epoch=epoch, start=start, stride=stride)]


def test_what_is_drawn_is_binary_and_has_the_greys_as_its_mean(greys: Resident) -> None:
    flat = replace(greys.spec, length=4000)
    x = torch.full((4000, *greys.spec.shape), 0.3)
    x[..., 0], x[..., 1] = 0.0, 1.0
    drawn = torch.cat([b.x for b in Binarized(Resident(x, flat)).chunks(512)])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert not drawn[..., 0].any()
    assert drawn[..., 1].all()
    # 4000 * 20 draws: three standard errors are .005.
    assert drawn[..., 2:].mean().item() == pytest.approx(0.3, abs=0.005)
    assert Binarized(greys).spec.support == "binary"


def test_every_epoch_draws_anew_and_the_same_epoch_draws_the_same(greys: Resident) -> None:
    source = Binarized(greys)
    again, other = _epoch(source, 0), _epoch(source, 1)
    assert all(torch.equal(a, b) for a, b in zip(_epoch(source, 0), again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(again, other, strict=True))


def test_an_epoch_is_the_same_from_any_position_and_for_every_process(greys: Resident) -> None:
    source = Binarized(greys)
    whole = _epoch(source, 2)
    assert all(
        torch.equal(a, b) for a, b in zip(_epoch(source, 2, start=3), whole[3:], strict=True)
    )
    second = _epoch(source, 2, start=1, stride=2)
    assert all(torch.equal(a, b) for a, b in zip(second, whole[1::2], strict=True))


def test_chunks_show_one_draw_whatever_their_size(greys: Resident) -> None:
    source = Binarized(greys)
    draws = [torch.cat([b.x for b in source.chunks(size)]) for size in (40, 7, 7)]
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(draws[1], draws[2])


def test_parts_are_those_of_the_other_source(greys: Resident) -> None:
    parts = [source.subset("test", 1, DEFAULT_FRACTIONS) for source in (greys, Binarized(greys))]
    assert isinstance(parts[1], Binarized)
    assert len(parts[0]) == len(parts[1])
    assert parts[1].spec.support == "binary"


def test_values_outside_the_unit_interval_are_refused() -> None:
    table = load(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(DataError, match=r"real values, and only values in \[0, 1\]"):
        Binarized(table)
