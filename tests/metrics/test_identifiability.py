"""The mean correlation coefficient at its fixed points, and against all matchings by hand."""

from itertools import permutations

import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.metrics import canonical_correlation, mean_correlation

RNG = np.random.default_rng(0)
S = RNG.laplace(size=(500, 4))


def test_another_order_sign_and_scale_is_one():
    codes = S[:, [2, 0, 3, 1]] * np.array([-3.0, 0.1, 7.0, -1.0]) + 5.0
    assert mean_correlation(S, codes) == pytest.approx(1.0, abs=1e-12)
    assert mean_correlation(S, np.hstack([RNG.normal(size=(500, 2)), codes])) == pytest.approx(1.0)
    assert mean_correlation(S, codes**3) < 0.95
    assert mean_correlation(S, S**3, by_rank=True) == pytest.approx(1.0, abs=1e-12)


def test_independent_codes_are_near_zero_and_a_constant_one_is_zero():
    assert mean_correlation(S, RNG.normal(size=(500, 4))) < 0.12
    assert mean_correlation(S[:, :1], np.ones((500, 1))) == 0.0


def test_it_is_the_best_of_all_matchings():
    codes = S @ RNG.normal(size=(4, 4)) + RNG.normal(size=(500, 4))
    found = np.abs(np.corrcoef(S.T, codes.T)[:4, 4:])
    best = max(found[np.arange(4), list(p)].mean() for p in permutations(range(4)))
    assert mean_correlation(S, codes) == pytest.approx(best, abs=1e-12)


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(DataError, match="latent_dim of at least 4"):
        mean_correlation(S, S[:, :3])
    with pytest.raises(DataError, match="same N"):
        mean_correlation(S, S[:10])


def test_any_linear_map_is_weakly_identified_and_not_strongly():
    codes = S @ RNG.normal(size=(4, 4)) + 3.0
    assert canonical_correlation(S, codes) == pytest.approx(1.0, abs=1e-10)
    assert mean_correlation(S, codes) < 0.95
    assert canonical_correlation(S, np.hstack([codes, S**2])) == pytest.approx(1.0, abs=1e-10)


def test_canonical_correlations_are_those_of_the_eigenvalue_problem():
    codes = S @ RNG.normal(size=(4, 5)) + 2 * RNG.normal(size=(500, 5))
    c = np.cov(S.T, codes.T)
    a, b, across = c[:4, :4], c[4:, 4:], c[:4, 4:]
    squares = np.linalg.eigvals(np.linalg.solve(a, across) @ np.linalg.solve(b, across.T))
    assert canonical_correlation(S, codes) == pytest.approx(np.sqrt(squares.real).mean())


def test_missing_directions_count_nothing_and_chance_counts_little():
    assert canonical_correlation(S, np.repeat(S[:, :1], 4, axis=1)) == pytest.approx(0.25, abs=0.05)
    assert canonical_correlation(S, RNG.normal(size=(500, 4))) < 0.12
    assert canonical_correlation(S[:, :1], np.ones((500, 1))) == 0.0
    with pytest.raises(DataError, match="more data than codes"):
        canonical_correlation(S[:4], S[:4])
