"""What codes are good for, at the fixed points of each task."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from isthmus.errors import DataError, OptionError, UnknownNameError
from isthmus.metrics.disentanglement import (
    Grid,
    downstream,
    measures,
    reduced_downstream,
    strong_downstream,
    total_variation,
    unfairness,
)

RNG = np.random.default_rng(0)
SIZES = (2, 3, 3)
F = RNG.integers(SIZES, size=(400, 3))
Z = F.astype(float)
TRAIN, TEST = slice(0, 250), slice(250, None)


def halves(z):
    return z[TRAIN], F[TRAIN], z[TEST], F[TEST]


def test_accuracies_are_those_of_scikit_learn():
    z = np.round(Z + 0.7 * RNG.normal(size=Z.shape), 1)
    found = downstream(*halves(z), seed=0, sizes=(250,))[250]
    known = [
        GradientBoostingClassifier(random_state=0).fit(z[TRAIN], c[TRAIN]).score(z[TEST], c[TEST])
        for c in F.T
    ]
    np.testing.assert_allclose(found.test, known, atol=0.04)
    assert found.mean == pytest.approx(found.test.mean())
    assert (found.train > found.test).all()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_logistic_regression_chooses_as_scikit_learn_does():
    z = Z + 0.7 * RNG.normal(size=Z.shape)
    found = downstream(*halves(z), seed=0, sizes=(250,), predictor="logistic")[250]
    theirs = LogisticRegressionCV(Cs=10, cv=KFold(5), max_iter=1000)
    known = [theirs.fit(z[TRAIN], c[TRAIN]).score(z[TEST], c[TEST]) for c in F.T]
    np.testing.assert_allclose(found.test, known, atol=0.02)


def test_sizes_by_rows_learnt_from():
    found = downstream(*halves(Z), seed=0, sizes=(10, 100, 1000))
    assert list(found) == [10, 100]
    assert found[100].mean == 1.0
    assert found[10].mean <= 1.0
    few = downstream(*halves(Z), seed=0, sizes=(1, 4), predictor="logistic")
    assert few[1].train.tolist() == [1.0] * 3
    with pytest.raises(OptionError, match="at least 1"):
        downstream(*halves(Z), seed=0, sizes=(0,))
    with pytest.raises(UnknownNameError, match="Did you mean 'trees'"):
        downstream(*halves(Z), seed=0, predictor="tree")


def test_without_its_latent_only_that_factor_is_lost():
    found = reduced_downstream(*halves(Z), seed=0, removed=1)
    assert found[~np.eye(3, dtype=bool)] == pytest.approx(1.0)
    assert (np.diag(found) < 0.65).all()
    twice = reduced_downstream(*halves(np.hstack([Z, Z])), seed=0, removed=1)
    assert twice == pytest.approx(np.ones((3, 3)))
    with pytest.raises(OptionError, match="removed=3 of 3"):
        reduced_downstream(*halves(Z), seed=0, removed=3)


def test_a_code_of_the_factors_generalises_and_an_entangled_one_does_not():
    few = {"seed": 0, "train": 200, "test": 100, "repeats": 2}
    assert strong_downstream(Grid(lambda f: f, SIZES), **few) == pytest.approx((1, 1, 0))
    cells = RNG.permutation(18).astype(float)
    lost = strong_downstream(
        Grid(lambda f: cells[np.ravel_multi_index(tuple(f.T), SIZES)][:, None], SIZES), **few
    )
    assert lost.normal > 0.95
    assert lost.gap == pytest.approx(1 - lost.strong / lost.normal)
    assert lost.gap > 0.2
    with pytest.raises(DataError, match="nothing to intervene on"):
        strong_downstream(Grid(lambda f: f, (4,)), **few)


def test_total_variation_by_hand():
    assert total_variation([[5, 5], [5, 5]]) == (0.0, 0.0)
    assert total_variation([[4, 0], [0, 4]]) == (0.5, 0.5)
    mean, most = total_variation([[3, 0], [0, 1]])
    assert (mean, most) == pytest.approx((0.75 * 0.25 + 0.25 * 0.75, 0.75))


def test_fair_and_unfair_codes():
    few = {"seed": 0, "train": 300, "points": 50}
    fair = unfairness(Grid(lambda f: f, SIZES), **few)
    assert (fair.mean, fair.most) == (0.0, 0.0)
    assert np.isnan(np.diag(fair.mean_matrix)).all()
    unfair = unfairness(Grid(lambda f: f[:, 1:], SIZES), **few)
    assert unfair.mean_matrix[1, 0] == 0.0
    blurred = unfairness(Grid(lambda f: f.sum(1, keepdims=True), SIZES), **few)
    assert blurred.mean > 0.15
    assert blurred.most >= blurred.mean
    with pytest.raises(DataError, match="another that is sensitive"):
        unfairness(Grid(lambda f: f, (4,)), **few)


def test_all_measures_of_a_perfect_code_in_one_row():
    grid = np.stack(np.unravel_index(np.arange(18), SIZES), 1)
    rows = np.tile(grid, (12, 1))
    found = measures(rows, rows, seed=0, train=140, test=70, sizes=(100, 1000))
    assert set(found) == {
        *("beta_vae", "factor_vae", "mig", "sap", "modularity", "explicitness", "irs"),
        *("dci_disentanglement", "dci_completeness", "dci_informativeness", "downstream_100"),
        *("total_correlation", "wasserstein", "wasserstein_normalised", "latent_information"),
    }
    assert all(type(value) is float for value in found.values())
    perfect = ("beta_vae", "factor_vae", "dci_disentanglement", "explicitness", "irs")
    assert [found[name] for name in perfect] == pytest.approx([1] * 5, abs=1e-6)
    assert found == measures(rows, rows, seed=0, train=140, test=70, sizes=(100, 1000))
