"""Sprites: geometry against closed forms, and the order of the factors."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import dblquad

from isthmus.data import Resident, load, split
from isthmus.data.shapes import (
    SIZES,
    TOTAL,
    Sprites,
    factors_of,
    index_of,
    render,
    templates,
)
from isthmus.errors import OptionError, UnknownNameError


def area(shape: int, scale: int, orientation: int = 0) -> float:
    factors = torch.tensor([[shape, scale, orientation, 16, 16]])
    return float(render(factors).sum())


def heart_area() -> float:
    def inside(b: float, a: float) -> float:
        return float((a * a + b * b - 1) ** 3 < a * a * b**3)

    return float(dblquad(inside, -1.2, 1.2, -1.1, 1.3, epsabs=0.02)[0])


def test_the_grid_is_that_of_dsprites() -> None:
    assert TOTAL == 737_280
    index = torch.randint(TOTAL, (500,))
    factors = factors_of(index)
    assert torch.equal(index_of(factors), index)
    # The last factor varies fastest.
    assert factors_of(torch.tensor([0, 1, 32, 1024, 40_960, 245_760])).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]


def test_areas_are_those_of_the_figures() -> None:
    full = {0: 21.5**2, 1: math.pi * 7.6 * 15.2, 2: 12.6**2 * 3.66}
    assert heart_area() == pytest.approx(3.66, rel=0.01)
    for shape, expected in full.items():
        for orientation in (0, 3, 5, 17):
            assert area(shape, 5, orientation) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_area_grows_with_the_square_of_the_scale(shape: int) -> None:
    # Averaged over angles, for a single drawing is whole pixels.
    def mean(scale: int) -> float:
        return sum(area(shape, scale, o) for o in range(40)) / 40

    for scale in range(6):
        assert mean(scale) / mean(5) == pytest.approx((0.5 + 0.1 * scale) ** 2, rel=0.05)


def test_symmetries_of_orientation() -> None:
    all_of_them = templates().reshape(3, 6, 40, 33, 33)
    square, ellipse, heart = all_of_them
    for scale in range(6):
        for o in range(40):
            # A quarter turn, a half turn and no turn at all bring the figures onto themselves.
            assert torch.equal(square[scale, o], square[scale, (o + 10) % 40])
            assert torch.equal(ellipse[scale, o], ellipse[scale, (o + 20) % 40])
        assert len({h.numpy().tobytes() for h in heart[scale]}) == 40
        assert len({e.numpy().tobytes() for e in ellipse[scale]}) == 20


def test_a_quarter_turn_turns_the_drawing() -> None:
    heart = templates().reshape(3, 6, 40, 33, 33)[2]
    for scale in range(6):
        assert torch.equal(heart[scale, 10], torch.rot90(heart[scale, 0], 1))
        # Upright, it is its own mirror image and broader at the top.
        assert torch.equal(heart[scale, 0], heart[scale, 0].flip(1))
        assert heart[scale, 0, :16].sum() > heart[scale, 0, 17:].sum()


def test_positions_shift_the_drawing() -> None:
    start = torch.tensor([[2, 5, 7, 0, 0]])
    image = render(start)[0, 0]
    moved = render(torch.tensor([[2, 5, 7, 5, 31]]))[0, 0]
    assert torch.equal(moved, image.roll((31, 5), (0, 1)))
    # Nothing is cut at an edge, whatever the place.
    corners = torch.tensor([[s, 5, 4, x, y] for s in range(3) for x in (0, 31) for y in (0, 31)])
    sums = render(corners).flatten(1).sum(1).reshape(3, 4)
    assert all(len(set(row)) == 1 for row in sums.tolist())


def test_the_whole_set_is_drawn_batch_by_batch() -> None:
    source = load("shapes")
    assert isinstance(source, Sprites)
    assert len(source) == TOTAL
    assert (source.spec.kind, source.spec.support, source.spec.shape) == (
        "image",
        "binary",
        (1, 64, 64),
    )
    assert tuple(size for _, size in source.spec.factors) == SIZES
    batch = next(source.epoch(64, seed=0, epoch=0))
    assert batch.factors is not None
    assert batch.labels is not None
    assert torch.equal(batch.x, render(batch.factors).float())
    assert torch.equal(batch.labels, batch.factors[:, 0])
    again = list(zip(source.epoch(64, seed=0, epoch=0, start=11_519), range(5), strict=False))
    assert len(again) == 1
    parts = split(source)
    assert sum(parts.record.sizes) == TOTAL


def test_a_drawn_subset() -> None:
    source = load("shapes", n=200, seed=3)
    assert isinstance(source, Resident)
    assert source.factors is not None
    assert source.factors.shape == (200, 5)
    assert torch.equal(source.x, render(source.factors).float())
    same, other = load("shapes", n=200, seed=3), load("shapes", n=200, seed=4)
    assert isinstance(same, Resident)
    assert isinstance(other, Resident)
    assert torch.equal(source.x, same.x)
    assert not torch.equal(source.x, other.x)


def test_a_grid_of_chosen_factors() -> None:
    grid = {"shape": [0, 2], "orientation": [0], "scale": [5], "position x": range(0, 32, 8)}
    source = load("shapes", factors=grid)
    assert len(source) == 2 * 4 * 32
    batch = next(source.chunks(1000))
    assert batch.factors is not None
    assert set(batch.factors[:, 0].tolist()) == {0, 2}
    assert set(batch.factors[:, 3].tolist()) == {0, 8, 16, 24}
    assert len(load("shapes", factors=grid, n=10)) == 10


def test_refusals() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'scale'"):
        load("shapes", factors={"scal": [1]})
    with pytest.raises(OptionError, match="values 0 to 5"):
        load("shapes", factors={"scale": [6]})
    with pytest.raises(OptionError, match="n=2"):
        load("shapes", n=2)
    with pytest.raises(OptionError, match="Did you mean 'seed'"):
        load("shapes", sed=2)
