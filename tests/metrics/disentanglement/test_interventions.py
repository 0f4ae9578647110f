"""What is held fixed is, what is not follows the other factors, and too little is refused."""

import numpy as np
import pytest

from isthmus.errors import DataError, OptionError
from isthmus.metrics.disentanglement import Grid, Rows, beta_vae_score, factor_vae_score

RNG = np.random.default_rng(0)


def samplers(reference):
    grid = reference.grid()
    return [Rows(grid, grid), Grid(lambda f: f, reference.SIZES), Grid.of(grid[::-1], grid[::-1])]


def test_a_group_shares_its_factor_alone_and_all_else_is_uniform(reference):
    for sampler in samplers(reference):
        for k, size in enumerate(reference.SIZES):
            codes = sampler.sharing(k, 3000, 4, np.random.default_rng(k))
            assert codes.shape == (3000, 4, 3)
            assert (codes[..., k] == codes[:, :1, k]).all()
            for j, n in enumerate(reference.SIZES):
                values = codes[:, 0, j] if j == k else codes[..., j]
                share = np.bincount(values.reshape(-1).astype(int), minlength=n) / values.size
                np.testing.assert_allclose(share, 1 / n, atol=0.04)
            other = (k + 1) % 3
            pair = codes[:, 0, other] == codes[:, 1, other]
            assert pair.mean() == pytest.approx(1 / reference.SIZES[other], abs=0.04)
            assert size == len(np.unique(codes[..., k]))


def test_values_may_be_any_whole_numbers_and_rare_ones_are_drawn_rarely():
    f = np.repeat([7, -2], [30, 90])[:, None]
    codes = Rows(f * 1.0, f).sharing(0, 4000, 2, RNG)
    assert (codes == 7).mean() == pytest.approx(0.25, abs=0.03)


def test_what_cannot_be_held_fixed_is_refused(reference):
    grid = reference.grid()
    lonely = np.append(np.repeat([0, 1], 5), 9)
    with pytest.raises(DataError, match=r"Factor 0 has the value 9 in 1 row"):
        Rows(np.zeros((11, 2)), lonely)
    with pytest.raises(DataError, match=r"value 0 in 12 row.*at least 13"):
        Rows(grid, grid, fewest=13)
    with pytest.raises(DataError, match="59 of the 60 combinations"):
        Grid.of(grid[1:], grid[1:])
    with pytest.raises(OptionError, match="at least 1"):
        Grid(lambda f: f, ())
    with pytest.raises(DataError, match="bin continuous factors"):
        Rows(grid, grid + 0.5)


def test_one_factor_cannot_be_told_apart_but_can_be_voted_for():
    f = np.repeat(np.arange(4), 10)
    sampler = Rows(RNG.normal(size=(40, 2)), f)
    with pytest.raises(DataError, match="tells factors apart"):
        beta_vae_score(sampler, seed=0)
    assert factor_vae_score(sampler, seed=0, train=50, test=50) == 1.0


def test_constant_and_idle_latents(reference):
    grid = reference.grid()
    idle = np.column_stack([grid, np.ones(60), 1e-3 * RNG.normal(size=60)])
    few = {"seed": 0, "train": 300, "test": 200}
    assert factor_vae_score(Rows(idle, grid), **few) == 1.0
    assert factor_vae_score(Rows(np.ones((60, 3)), grid), **few) == 0.0
    assert beta_vae_score(Rows(np.ones((60, 3)), grid), **few) == pytest.approx(1 / 3, abs=0.1)
    assert factor_vae_score(Rows(1e-3 * grid, grid), **few, least_spread=0) == 1.0


def test_one_latent_and_null_codes(reference):
    grid = np.tile(reference.grid(), (20, 1))
    few = {"seed": 0, "train": 1500, "test": 1000}
    null = Rows(RNG.normal(size=(1200, 4)), grid)
    assert factor_vae_score(null, **few) == pytest.approx(1 / 3, abs=0.08)
    assert beta_vae_score(null, **few) == pytest.approx(1 / 3, abs=0.08)
    one = Rows(grid[:, :1], grid)
    assert factor_vae_score(one, **few) == pytest.approx(1 / 3, abs=0.08)
    assert 0.6 < beta_vae_score(one, **few) < 0.72


def test_memory_is_bounded_by_parts_that_change_nothing_but_the_draws(reference, monkeypatch):
    grid = reference.grid()
    monkeypatch.setattr("isthmus.metrics.disentanglement.beta_vae.HELD", 500)
    few = {"seed": 0, "train": 200, "test": 100}
    assert beta_vae_score(Rows(grid, grid), **few) == 1.0
    assert factor_vae_score(Rows(grid, grid), **few) == 1.0


def test_numbers_that_cannot_work_are_refused(reference):
    sampler = samplers(reference)[0]
    with pytest.raises(OptionError, match="batch=0"):
        beta_vae_score(sampler, seed=0, batch=0)
    with pytest.raises(OptionError, match="at least 2 data"):
        factor_vae_score(sampler, seed=0, batch=1)
    with pytest.raises(OptionError, match="0 points"):
        factor_vae_score(sampler, seed=0, train=0)
