"""Screens against loops and closed forms: distances, tails, what is looked at, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from isthmus.data import Batch, DataSpec, Resident, Source, load
from isthmus.errors import OptionError, UnknownNameError
from isthmus.fitting import Run, fit
from isthmus.outliers import SCORES
from isthmus.screening import Screen, screen
from isthmus.screening.reading import some_of

QUICK: dict[str, Any] = {"epochs": 2, "threads": 1, "hidden": (8,), "device": "cpu"}
UNITS = np.array([1.0, 100.0, 0.01], np.float32)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    chance = np.random.default_rng(0)
    z = chance.normal(size=(200, 1))
    x = z @ [[1.0, -1.0, 0.5]] + 0.2 * chance.normal(size=(200, 3))
    return (x * UNITS + 5 * UNITS).astype(np.float32)


@pytest.fixture(scope="module")
def table_run(rows: np.ndarray) -> Run:
    return fit(load(rows), "vae", latent_dim=1, **QUICK)


def parts(run: Run, source: Source) -> tuple[Source, Sequence[Source]]:
    known, *held_out = run.split.of(source)
    return known, held_out


def x_of(source: Source) -> torch.Tensor:
    return torch.cat([batch.x for batch in source.chunks(50)])


def rebuilt(run: Run, x: torch.Tensor, condition: torch.Tensor | None = None) -> np.ndarray:
    there = run.model.reconstruct(x, condition=condition)
    return there.flatten(1).double().numpy()


def by_neighbours(known: np.ndarray, there: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The score, which has tests of its own, of rows and reconstructions (N, F) as given."""

    class Table:
        def transform(self, X: Any, condition: Any = None) -> Any:
            return X

        def inverse_transform(self, X: Any, condition: Any = None) -> Any:
            return there

    return SCORES.create("neighbours").fit(Table(), known).usual(Table(), asked)


def test_columns_count_by_their_spread_in_the_training_part(rows, table_run):
    source = load(rows)
    known, held_out = parts(table_run, source)
    one = Screen(table_run, "neighbours").fit(known, held_out)
    found = one.judge(Batch(torch.from_numpy(rows[:9])))
    x = x_of(known).double().numpy()
    mean, spread = x.mean(0), x.std(0)
    there = (rebuilt(table_run, x_of(known)) - mean) / spread
    asked = (rows[:9].astype(np.float64) - mean) / spread
    expected = by_neighbours((x - mean) / spread, there, asked)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)
    error = Screen(table_run, "reconstruction").fit(known, held_out)
    off = (rows[:9] - rebuilt(table_run, torch.from_numpy(rows[:9]))) / spread
    batch = Batch(torch.from_numpy(rows[:9]))
    np.testing.assert_allclose(error.judge(batch).scores, -np.square(off).sum(1), rtol=1e-4)
    blame = error.blame(batch)
    np.testing.assert_allclose(blame.off, np.abs(off), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(blame.data, rows[:9], rtol=1e-6)
    np.testing.assert_allclose(blame.expected, rebuilt(table_run, batch.x), rtol=1e-5)


def test_columns_of_numbers_are_judged_by_the_ensemble(rows, table_run):
    known, held_out = parts(table_run, load(rows))
    one = Screen(table_run).fit(known, held_out)
    x = x_of(known).double().numpy()
    mean, spread = x.mean(0), x.std(0)

    class Standardised:
        def transform(self, X: Any, condition: Any = None) -> Any:
            there = torch.from_numpy(X * spread + mean).float()
            return table_run.model.encode(there).double().numpy()

        def inverse_transform(self, X: Any, condition: Any = None) -> Any:
            there = table_run.model.decode(torch.from_numpy(X).float())
            return (there.double().numpy() - mean) / spread

    model, asked = Standardised(), (rows[:9].astype(np.float64) - mean) / spread
    expected = SCORES.create("ensemble").fit(model, (x - mean) / spread).usual(model, asked)
    assert one.by == "ensemble"
    found = one.judge(Batch(torch.from_numpy(rows[:9]))).scores
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_tails_are_counted_and_hold_their_share(rows, table_run):
    known, held_out = parts(table_run, load(rows))
    one = Screen(table_run, share=0.1).fit(known, held_out)
    unseen = torch.cat([x_of(part) for part in held_out])
    usual = one.judge(Batch(unseen)).scores
    np.testing.assert_array_equal(np.sort(usual), one.held_out)
    # Those that are held out tie with themselves.
    asked = torch.cat([unseen, torch.from_numpy(rows[:140]) * 1.5])
    found = one.judge(Batch(asked))
    for score, tail, odd in zip(found.scores, found.tails, found.outliers, strict=True):
        by_hand = (1 + sum(h <= score for h in usual)) / (1 + len(usual))
        assert tail == by_hand
        assert odd == (by_hand <= 0.1)
    assert found.table().shape == (200, 3)
    np.testing.assert_array_equal(found.table()[:, 2], found.outliers.astype(float))
    # 60 held-out data: ranks 1 to 6 of 61 are at most a tenth.
    assert len(usual) == 60
    assert one.expected == pytest.approx(6 / 61)
    exact = Screen(table_run, share=6 / 61).fit(known, held_out)
    assert exact.expected == pytest.approx(6 / 61)
    assert exact.judge(Batch(unseen)).outliers.sum() == 5


def test_log_p_is_that_of_the_data_in_their_own_units(rows, table_run):
    known, held_out = parts(table_run, load(rows))
    one = Screen(table_run, "likelihood", samples=4000).fit(known, held_out)
    asked = torch.from_numpy(rows[:3])
    model, line = table_run.model, torch.linspace(-8, 8, 2001)[:, None]
    with torch.no_grad():
        px = model.generate(line[:, None])
        joint = px.log_prob(model.scaling(asked)) + model.prior().log_prob(line)[:, None]
    by_quadrature = torch.logsumexp(joint.double(), 0) + np.log(16 / 2000)
    truth = by_quadrature - float(model.scaling.log_det())
    np.testing.assert_allclose(one.judge(Batch(asked)).scores, truth, atol=0.05)


def test_counts_go_by_roots_and_zeros_and_ones_as_they_are():
    chance = np.random.default_rng(1)
    for x, kind, scale in (
        (chance.poisson(3.0, (90, 6)), "counts", np.sqrt),
        (chance.integers(0, 2, (90, 6)), "table", np.asarray),
    ):
        source = load(x.astype(np.float32), kind=kind)
        run = fit(source, "vae", latent_dim=1, **QUICK)
        known, held_out = parts(run, source)
        one = Screen(run, "neighbours").fit(known, held_out)
        assert Screen(run).by == "neighbours"
        asked = next(source.chunks(8))
        there = scale(rebuilt(run, x_of(known)))
        known_rows, asked_rows = (scale(x.double().numpy()) for x in (x_of(known), asked.x))
        expected = by_neighbours(known_rows, there, asked_rows)
        np.testing.assert_allclose(one.judge(asked).scores, expected, rtol=1e-5)
        blame = one.blame(asked)
        np.testing.assert_allclose(blame.data, asked.x, rtol=1e-6)
        np.testing.assert_allclose(blame.expected, rebuilt(run, asked.x), rtol=1e-5)


@pytest.mark.parametrize("by", ["reconstruction", "likelihood", "neighbours", "typicality"])
def test_a_conditional_model_is_told_each_condition(by):
    chance = np.random.default_rng(2)
    labels = np.arange(150) % 2
    x = (chance.normal(size=(150, 3)) + 4 * labels[:, None]).astype(np.float32)
    source = load(x, labels=labels, condition="label")
    run = fit(source, "cvae", latent_dim=1, **{**QUICK, "epochs": 30})
    known, held_out = parts(run, source)
    one = Screen(run, by).fit(known, held_out)
    asked = next(source.chunks(20))
    assert asked.condition is not None
    told = one.judge(asked).scores
    spread = x_of(known).double().numpy().std(0)
    if by == "reconstruction":
        off = (asked.x.numpy() - rebuilt(run, asked.x, asked.condition)) / spread
        np.testing.assert_allclose(told, -np.square(off).sum(1), rtol=1e-4)
    if by == "neighbours":
        seen = next(known.chunks(200))
        there = rebuilt(run, seen.x, seen.condition) / spread
        known_rows, asked_rows = (x.double().numpy() / spread for x in (seen.x, asked.x))
        expected = by_neighbours(known_rows, there, asked_rows)
        np.testing.assert_allclose(told, expected, rtol=1e-4)
    else:
        turned = one.judge(Batch(asked.x, condition=asked.condition.flip(1))).scores
        assert turned.mean() < told.mean()


def test_at_most_so_many_are_looked_at_and_that_is_said(rows, table_run, monkeypatch):
    monkeypatch.setattr(screen, "MOST_KNOWN", 30)
    monkeypatch.setattr(screen, "MOST_HELD_OUT", 25)
    known, held_out = parts(table_run, load(rows))
    one, again, other = (Screen(table_run, seed=seed).fit(known, held_out) for seed in (0, 0, 1))
    assert len(one.held_out) == 25
    np.testing.assert_array_equal(one.held_out, again.held_out)
    assert not np.array_equal(one.held_out, other.held_out)
    assert one.notes == (
        "the score looked at 30 of 140 training data",
        "what is usual was judged by 25 of 60 held-out data",
    )


@pytest.mark.parametrize("most", [7, 600, 2000])
def test_some_of_several_sources_are_a_draw_of_all(most):
    x = np.arange(2000, dtype=np.float32).reshape(1000, 2)
    labels = np.arange(1000) % 2
    every = load(x, labels=labels, condition="label")
    sources = [every.select(torch.arange(700)), every.select(torch.arange(700, 1000))]
    found = list(some_of(sources, most, 3))
    rows = (torch.cat([b.x for b in found])[:, 0] / 2).long().tolist()
    assert len(rows) == min(most, 1000)
    assert rows == sorted(set(rows))
    told = torch.cat([b.condition for b in found if b.condition is not None])
    assert told.argmax(1).tolist() == [row % 2 for row in rows]
    if most == 600:
        # Of 700 and 300 data: a draw of 600 has 420 ± 11 of the first.
        assert abs(sum(row < 700 for row in rows) - 420) < 45
    if most == 2000:
        assert rows == list(range(1000))


def test_what_is_beyond_all_numbers_is_the_most_unusual(rows, table_run):
    known, held_out = parts(table_run, load(rows))
    one = Screen(table_run, "likelihood", samples=2).fit(known, held_out)
    for beyond in (1e30, np.inf):
        found = one.judge(Batch(torch.full((1, 3), beyond)))
        assert found.scores[0] == -np.inf
        assert found.tails[0] == 1 / 61


def test_what_cannot_be_answered_is_refused(rows, table_run):
    known, held_out = parts(table_run, load(rows))
    plain = fit(load(rows), "ae", latent_dim=1, **QUICK)
    with pytest.raises(OptionError, match="use neighbours, ensemble, latent, reconstruction"):
        Screen(plain, "kl")
    with pytest.raises(UnknownNameError, match="Did you mean 'neighbours'"):
        Screen(plain, "neighbors")
    # Of 60 a share of one is 1/61: .0164.
    with pytest.raises(OptionError, match=r"at least 0\.017"):
        Screen(table_run, share=0.016).fit(known, held_out)
    Screen(table_run, share=0.017).fit(known, held_out)
    gap = torch.from_numpy(rows[:2].copy())
    gap[1, 1] = torch.nan
    with pytest.raises(OptionError, match="gaps"):
        Screen(table_run).fit(known, held_out).judge(Batch(gap))


def test_categories_have_no_distances():
    x = torch.randint(0, 3, (60, 4)).float()
    source = Resident(x, DataSpec("table", (4,), "category", 60, n_categories=3))
    run = fit(source, "vae", latent_dim=1, **QUICK)
    with pytest.raises(OptionError, match="no distances: use likelihood, kl, likelihood-ratio"):
        Screen(run)
    one = Screen(run, "likelihood", share=0.1).fit(*parts(run, source))
    assert not one.rebuilds
    with pytest.raises(OptionError, match="no distances"):
        one.blame(next(source.chunks(2)))


@pytest.mark.parametrize("entry", list(SCORES), ids=lambda entry: entry.name)
def test_a_run_elsewhere_is_asked_there(entry, rows, table_run, away):
    """The verdicts are the CPU's, wherever the data lie."""
    source = load(rows)
    known, held_out = parts(table_run, source)
    batch = Batch(torch.from_numpy(rows[:9]))

    def asked(run: Run, known: Source, batch: Batch) -> list[np.ndarray]:
        torch.manual_seed(0)
        found = Screen(run, entry.name, share=0.3, samples=4).fit(known, held_out)
        return [found.judge(batch).scores, found.held_out, found.blame(batch).expected]

    here = asked(table_run, known, batch)
    with away.elsewhere(lambda what: None) as place:
        run = replace(table_run, model=deepcopy(table_run.model).to(place))
        for there in (
            asked(run, known, batch),
            asked(run, known.to(place), batch.to(place)),
        ):
            for mine, theirs in zip(here, there, strict=True):
                np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=1e-5)
