"""Bins as the reference's discretiser makes them, splits, and what is refused."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from isthmus.errors import DataError, OptionError
from isthmus.metrics.disentanglement import discretise, halves, mig
from isthmus.metrics.disentanglement.inputs import as_factors, ranked
from isthmus.metrics.disentanglement.mutual import entropies, mutual_information

RNG = np.random.default_rng(0)


def test_the_reference_s_own_example():
    values = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]).T
    assert discretise(values, 3)[:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_bins_are_numpy_s():
    z = np.column_stack([RNG.normal(size=(500, 3)) * [1, 1e-6, 1e6], np.full(500, 3.0)])
    known = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in z.T]
    np.testing.assert_array_equal(discretise(z), np.stack(known, 1))


@pytest.mark.parametrize("bins", [1, 3, 20])
def test_values_on_the_edges_are_binned_as_numpy_does(bins):
    edges = np.linspace(-0.7, 1.9, bins + 1)
    z = np.column_stack(
        [
            np.repeat(edges, 30)[: 30 * bins],
            np.nextafter(np.repeat(edges, 30), RNG.choice([-9, 9], 30 * (bins + 1)))[30:],
            1e9 + RNG.integers(60, size=30 * bins) / 64,
            RNG.integers(9, size=30 * bins) * 1e-300,
        ]
    )
    known = [np.digitize(c, np.histogram(c, bins)[1][:-1]) for c in z.T]
    np.testing.assert_array_equal(discretise(z, bins), np.stack(known, 1))


def test_information_is_scikit_learn_s():
    a, b = RNG.integers(-3, 4, size=(300, 3)), RNG.integers(9, size=(300, 2))
    a[:, 1] = b[:, 0] // 2
    known = [[mutual_info_score(y, x) for y in b.T] for x in a.T]
    np.testing.assert_allclose(mutual_information(a, b), known, atol=1e-12)
    known = [mutual_info_score(x, x) for x in a.T]
    np.testing.assert_allclose(entropies(a), known, atol=1e-12)


def test_halves_are_apart_in_proportion_and_by_the_seed():
    z, f = np.arange(90.0)[:, None], np.arange(90)[:, None]
    a, fa, b, fb = halves(z, f, seed=3, train=10, test=5)
    assert (len(a), len(b)) == (10, 5)
    a, fa, b, fb = halves(z, f, seed=3)
    assert (len(a), len(b)) == (60, 30)
    assert sorted(np.concatenate([a, b])[:, 0]) == z[:, 0].tolist()
    assert (a == fa).all()
    assert (b == fb).all()
    np.testing.assert_array_equal(halves(z, f, seed=3)[0], a)
    assert (halves(z, f, seed=4)[0] != a).any()


def test_refusals():
    z = RNG.normal(size=(6, 2))
    broken = z.copy()
    broken[4, 1] = np.nan
    with pytest.raises(DataError, match="codes hold nan in row 4, column 1"):
        mig(broken, np.arange(6))
    with pytest.raises(DataError, match="factors hold nan in row 4"):
        mig(z, broken)
    with pytest.raises(DataError, match=r"Factor 1 holds 0\.5 in row 2.*discretise"):
        as_factors([[0, 1], [1, 2], [2, 0.5]])
    with pytest.raises(DataError, match="6 and 5 rows"):
        halves(z, np.arange(5), seed=0)
    with pytest.raises(DataError, match="one row"):
        halves(z[:1], [0], seed=0)
    with pytest.raises(OptionError, match="test=0"):
        halves(z, np.arange(6), seed=0, test=0)
    with pytest.raises(OptionError, match="bins is 0"):
        discretise(z, 0)


@pytest.mark.parametrize("scale", [1, 7, 10**15])
def test_values_near_and_far_are_renamed_in_their_order(scale):
    values = np.random.default_rng(0).integers(-4, 5, size=(60, 2)) * scale
    ranks, sizes = ranked(values)
    for j, column in enumerate(values.T):
        known, inverse = np.unique(column, return_inverse=True)
        np.testing.assert_array_equal(ranks[:, j], inverse)
        assert sizes[j] == len(known)
