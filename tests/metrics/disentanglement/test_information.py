"""MIG, DCI and modularity: fixed points, and the reference's values of importance matrices."""

import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.metrics.disentanglement import (
    completeness,
    dci,
    discretise,
    disentanglement,
    explicitness,
    mig,
    modularity,
    modularity_of,
)

RNG = np.random.default_rng(0)
SPLIT = 1 - np.log(2) / np.log(10)
F = RNG.integers(4, size=(600, 3))
Z = F.astype(float)


@pytest.mark.parametrize(
    ("matrix", "d", "c", "m"),
    [
        (np.eye(5), 1, 1, 1),
        (np.hstack([np.eye(5), np.eye(5)]), SPLIT, 1, 8 / 9),
        (np.vstack([np.eye(5), np.eye(5)]), 1, SPLIT, 1),
        (np.array([[1.0, 0], [0, 1], [0, 0]]), 1, 1, 2 / 3),
        (np.ones((4, 3)), 0, 0, 0),
        (np.zeros((4, 3)), 0, 0, 0),
        (np.ones((1, 3)), 0, 1, 0),
        (np.ones((3, 1)), 1, 0, 1),
    ],
)
def test_known_matrices(matrix, d, c, m):
    assert disentanglement(matrix) == pytest.approx(d, abs=1e-8)
    assert completeness(matrix) == pytest.approx(c, abs=1e-8)
    assert modularity_of(matrix) == pytest.approx(m, abs=1e-12)


def test_an_idle_latent_s_weight_is_none_in_dci_and_full_in_modularity():
    matrix = np.array([[0.9, 0.1], [0.1, 0.9], [0, 0]])
    p = np.array([0.9, 0.1])
    apart = 1 + (p * np.log2(p)).sum()
    assert disentanglement(matrix) == pytest.approx(apart, abs=1e-8)
    assert modularity_of(matrix) == pytest.approx(2 * (1 - 0.01 / 0.81) / 3)


@pytest.mark.parametrize("wrong", [np.ones(3), np.zeros((0, 2)), [[-1.0, 1]], [[np.nan, 1]]])
def test_what_is_no_such_matrix_is_refused(wrong):
    with pytest.raises(DataError, match="none below 0"):
        disentanglement(wrong)
    with pytest.raises(DataError, match="none below 0"):
        modularity_of(wrong)


def test_mig_is_one_for_the_factors_in_any_order_sign_and_scale():
    assert mig(-3 * Z[:, [2, 0, 1]] + 1, F).score == pytest.approx(1, abs=0.02)
    idle = np.column_stack([Z, np.ones(600)])
    assert mig(idle, F).score == pytest.approx(1, abs=0.02)


def test_mig_is_zero_for_duplicated_and_for_null_codes():
    assert mig(np.hstack([Z, Z]), F).score == 0.0
    assert mig(RNG.normal(size=(600, 3)), F).score < 0.02
    assert mig(np.ones((600, 3)), F).score == 0.0


def test_mig_of_a_single_latent_and_a_single_factor():
    found = mig(Z[:, :1], F[:, 0])
    assert found.score == pytest.approx(1.0)
    assert found.information.shape == (1, 1)
    with pytest.raises(DataError, match="Factor 1 has one value"):
        mig(Z, np.column_stack([F[:, 0], np.zeros(600)]))


def test_more_rows_than_asked_for_are_drawn_by_the_seed():
    a, b, c = (mig(Z + RNG.normal(size=Z.shape) * 0, F, seed=s, rows=100).score for s in (0, 0, 1))
    assert a == b
    assert a != c


def test_continuous_factors_are_refused_until_they_are_binned():
    factors = RNG.uniform(size=(600, 2))
    with pytest.raises(DataError, match="discretise"):
        mig(factors, factors)
    assert mig(factors, discretise(factors)).score > 0.85


def test_dci_at_its_fixed_points():
    train, test = slice(0, 400), slice(400, None)

    def of(codes):
        return dci(codes[train], F[train], codes[test], F[test], seed=0)

    assert of(Z)[:4] == pytest.approx((1, 1, 1, 1), abs=1e-6)
    twice = of(np.hstack([Z, Z]))
    assert twice.disentanglement == pytest.approx(1, abs=1e-6)
    assert twice.completeness < 0.75
    np.testing.assert_allclose(twice.importance.sum(0), 1)
    null = of(RNG.normal(size=(600, 3)))
    assert null.disentanglement < 0.05
    assert null.informativeness < 0.35
    constant = of(np.ones((600, 2)))
    assert constant.disentanglement == pytest.approx(0.0, abs=1e-12)
    one = of(Z[:, :1])
    assert (one.completeness, one.importance.shape) == (1.0, (1, 3))


def test_modularity_and_explicitness_at_their_fixed_points():
    assert modularity(Z, F) > 0.99
    assert modularity(np.hstack([Z, Z]), F) > 0.99
    assert modularity(np.column_stack([Z, np.ones(600)]), F) == pytest.approx(0.75, abs=0.01)
    mixed = Z @ np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    assert modularity(mixed, F) < 0.9
    assert explicitness(mixed[:400], F[:400, :2] > 1, mixed[400:], F[400:, :2] > 1) > 0.99
    null = RNG.normal(size=(600, 3))
    assert explicitness(null[:400], F[:400], null[400:], F[400:]) == pytest.approx(0.5, abs=0.05)
    with pytest.raises(DataError, match="Factor 0 has one value"):
        explicitness(Z, np.zeros(600), Z, F[:, 0])


def test_explicitness_is_scikit_learn_s_area():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler, label_binarize

    z = Z + 2 * RNG.normal(size=Z.shape)
    scaler = StandardScaler().fit(z[:400])
    known = []
    for k in range(3):
        fitted = LogisticRegression(max_iter=1000, tol=1e-8).fit(
            scaler.transform(z[:400]), F[:400, k]
        )
        truth = label_binarize(F[400:, k], classes=range(4))
        known.append(roc_auc_score(truth, fitted.predict_proba(scaler.transform(z[400:]))))
    found = explicitness(z[:400], F[:400], z[400:], F[400:])
    assert found == pytest.approx(np.mean(known), abs=1e-4)
