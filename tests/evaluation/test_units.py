"""Units of a comparison: levels spread over cells, and back."""

import math

import numpy as np
import torch

from isthmus.data import DataSpec, Resident
from isthmus.evaluation.units import Units

SPEC = DataSpec("image", (1, 4, 4), "unit", 500, unit=16.0)


def source():
    levels = torch.randint(0, 17, (500, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    return Resident(levels / 16.0, SPEC), levels


def test_spread_levels_settle_where_they_came_from():
    data, levels = source()
    units = Units.of(SPEC)
    u = units.spread(data, seed=0).x.double().numpy()
    assert u.min() >= 0
    assert u.max() <= 1
    np.testing.assert_allclose(units.settled(u), levels.numpy() / 16.0)
    cells = u * 17 - levels.numpy()
    assert abs(cells.mean() - 0.5) < 0.01
    assert abs(cells.std() - math.sqrt(1 / 12)) < 0.01


def test_the_middle_of_a_cell_is_the_level():
    units = Units.of(SPEC)
    levels = np.arange(17.0)
    np.testing.assert_allclose(units.centred((levels + 0.5) / 17), levels / 16)


def test_a_uniform_density_costs_the_nats_of_its_levels():
    # -log p(u) = 0 for the uniform density on the cube: D log(levels) nats name one of levels^D
    # data.
    assert Units.of(SPEC).log_cells == 16 * math.log(17)


def test_data_without_levels_are_left_alone():
    data = Resident(torch.randn(10, 3), DataSpec("table", (3,), "real", 10))
    units = Units.of(data.spec)
    assert units.spread(data, 0) is data
    assert units.log_cells == 0.0
    values = np.array([-1.5, 0.2])
    np.testing.assert_allclose(units.settled(values), values)
    np.testing.assert_allclose(
        Units(DataSpec("counts", (2,), "count", 5)).settled(values), [0.0, 0.0]
    )
