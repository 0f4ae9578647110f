"""Mean and scale against numpy, and the change of variables against autograd."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch

from isthmus.data import SCALINGS, DataSpec, Resident, Scaling, load, moments, scaling
from isthmus.data.source import Source
from isthmus.errors import UnknownNameError
from isthmus.registry import build, describe

RNG = np.random.default_rng(5)
# A mean far above the deviation: where the sum of squares would lose every digit.
TABLE = RNG.normal(size=(700, 4)) * [1, 10, 0.1, 0] + [0, 1000, 3, 7]


@pytest.fixture(params=["at once", "in chunks"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Source:
    if request.param == "in chunks":
        monkeypatch.setattr(scaling, "_CHUNK", 4 * 33)
    return load(TABLE)


def test_moments_by_column(table: Source) -> None:
    stored = TABLE.astype(np.float32).astype(np.float64)
    found = moments(table, by_column=True)
    np.testing.assert_allclose(found.shift.numpy(), stored.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.scale.numpy(), [*stored.std(0)[:3], 1], rtol=1e-9)
    assert found.constant.tolist() == [False, False, False, True]


def test_moments_over_everything(table: Source) -> None:
    stored = TABLE.astype(np.float32).astype(np.float64)
    shift, scale, constant, low, high = moments(table, by_column=False)
    assert float(shift) == pytest.approx(stored.mean(), rel=1e-12)
    assert float(scale) == pytest.approx(stored.std(), rel=1e-12)
    assert not bool(constant)
    assert (float(low), float(high)) == (stored.min(), stored.max())


@pytest.mark.parametrize("per", ["none", "datum", "column"])
def test_there_and_back(table: Source, per: str) -> None:
    scale = Scaling((4,), per)
    scale.fit(table)
    x = next(table.chunks(700)).x
    u = scale(x)
    # Rounding is relative to the largest shift.
    torch.testing.assert_close(scale.inverse(u), x, rtol=1e-6, atol=1e-4)
    if per == "column":
        np.testing.assert_allclose(u[:, :3].mean(0).numpy(), 0, atol=1e-4)
        np.testing.assert_allclose(u[:, :3].std(0, correction=0).numpy(), 1, atol=1e-4)
        assert u[:, 3].unique().tolist() == [0]
    if per == "datum":
        assert float(u.std(correction=0)) == pytest.approx(1, abs=1e-5)
    if per == "none":
        assert u is x
        assert scale.inverse(x) is x


@pytest.mark.parametrize("per", ["none", "datum", "column"])
@pytest.mark.parametrize("shape", [(4,), (1, 3, 2)])
def test_log_det_is_that_of_the_jacobian(per: str, shape: tuple[int, ...]) -> None:
    scale = Scaling(shape, per).double()
    if per != "none":
        scale.scale.copy_(torch.rand(scale.scale.shape) + 0.5)
    x = torch.randn(shape, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(scale, x).reshape(x.numel(), x.numel())
    expected = -torch.linalg.slogdet(jacobian).logabsdet
    assert scale.log_det().shape == ()
    torch.testing.assert_close(scale.log_det(), expected)


def test_densities_change_by_the_log_det() -> None:
    # u ~ N(0, 1) is x ~ N(shift, scale).
    scale = Scaling((3,), "column").double()
    with torch.no_grad():
        scale.shift.copy_(torch.tensor([1.0, -2.0, 0.5]))
        scale.scale.copy_(torch.tensor([2.0, 0.3, 5.0]))
    x = torch.randn(6, 3, dtype=torch.float64)
    of_u = torch.distributions.Normal(0.0, 1.0).log_prob(scale(x)).sum(-1)
    of_x = torch.distributions.Normal(scale.shift, scale.scale).log_prob(x).sum(-1)
    torch.testing.assert_close(of_u - scale.log_det(), of_x)


def test_constant_columns_are_said(table: Source) -> None:
    notes = Scaling((4,), "column").fit(table)
    assert notes == ["1 column has the same value in every row (3); shifted to 0 but not scaled"]
    assert Scaling((4,), "datum").fit(table) == []
    flat = load(np.full((5, 2), 3.0))
    (note,) = Scaling((2,), "datum").fit(flat)
    assert "not scaled" in note


def test_images_by_datum() -> None:
    source = load(RNG.integers(0, 256, (20, 5, 5, 3), np.uint8))
    assert isinstance(source, Resident)
    scale = Scaling(source.spec.shape, "datum")
    scale.fit(source)
    assert float(scale.shift) == pytest.approx(float(source.x.double().mean()), rel=1e-6)


def test_it_is_a_part_with_tensors() -> None:
    scale = Scaling((4,), per="column")
    again = build(describe(scale))
    assert isinstance(again, Scaling)
    assert (
        describe(again)
        == describe(scale)
        == {
            "part": "scaling/scaling",
            "shape": [4],
            "per": "column",
        }
    )
    assert set(scale.state_dict()) == {"shift", "scale"}
    assert "scaling" in SCALINGS
    with pytest.raises(UnknownNameError, match="Did you mean 'column'"):
        Scaling((4,), "colum")


def test_symmetric_is_fixed_whatever_the_data_are() -> None:
    scale = Scaling((1, 2, 2), "symmetric").double()
    x = torch.rand(5, 1, 2, 2, dtype=torch.float64)
    assert scale.active
    assert not scale.bounded
    assert scale.fit(Resident(x.float() * 0.1, DataSpec("image", (1, 2, 2), "unit", 5))) == []
    torch.testing.assert_close(scale(x), 2 * x - 1)
    torch.testing.assert_close(scale.inverse(scale(x)), x)
    assert scale(torch.tensor([0.0, 1.0, 1.5])).tolist() == [-1.0, 1.0, 2.0]
    assert scale.log_det().item() == pytest.approx(4 * math.log(0.5))
    assert build(describe(scale))(x).equal(scale(x))


def test_a_range_squeezes_into_the_unit_interval_and_clips_beyond_it() -> None:
    x = torch.tensor([[0.0, -5.0, 7.0], [10.0, 5.0, 7.0], [5.0, 0.0, 7.0]])
    source = Resident(x, DataSpec("table", (3,), "real", 3))
    by_column = Scaling((3,), "column-range")
    by_column.fit(source)
    expected = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]]
    torch.testing.assert_close(by_column(x), torch.tensor(expected))
    torch.testing.assert_close(by_column.inverse(by_column(x)), x)
    assert by_column(torch.tensor([[-3.0, 50.0, 7.0]])).tolist() == [[0.0, 1.0, 0.0]]
    assert by_column.log_det().item() == pytest.approx(2 * math.log(10.0))
    whole = Scaling((3,), "datum-range")
    whole.fit(source)
    torch.testing.assert_close(whole(x), (x + 5.0) / 15.0)
    assert whole.bounded
    assert pickle.loads(pickle.dumps(whole))(x).equal(whole(x))
