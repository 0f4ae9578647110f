"""Support vector machines against scikit-learn's, and correlations against numpy's."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from isthmus.errors import DataError
from isthmus.metrics.disentanglement import sap, sap_continuous
from isthmus.metrics.disentanglement.thresholds import Labels, fit_thresholds, highest

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("classes", "scale"), [(2, 1.0), (3, 1.0), (7, 1.0), (3, 30.0), (4, 0.02)])
def test_each_line_is_the_optimum(classes, scale):
    share = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    y = np.append(RNG.choice(classes, size=400, p=share), np.arange(classes))
    x = scale * (0.7 * y + RNG.normal(size=len(y)) + 0.5)
    found = np.column_stack(fit_thresholds(x, Labels(y[:, None], (classes,)), 0.01))
    model = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-12, max_iter=10_000)
    model.fit(x[:, None], y)
    known = np.column_stack([model.coef_[:, 0], model.intercept_])
    np.testing.assert_allclose(found[-len(known) :], known, atol=1e-6)
    if classes == 2:
        np.testing.assert_allclose(found[0], -found[1], atol=1e-8)


def test_scores_are_those_of_scikit_learn():
    z = RNG.normal(size=(300, 3))
    f = np.column_stack([np.digitize(z[:, 0], (-1, 0, 1)), z[:, 1] + 0.5 * z[:, 2] > 0]) + 5
    found = sap(z[:200], f[:200], z[200:], f[200:])
    known = [
        [
            LinearSVC(C=0.01, class_weight="balanced", dual=False)
            .fit(z[:200, [j]], f[:200, k])
            .score(z[200:, [j]], f[200:, k])
            for k in range(2)
        ]
        for j in range(3)
    ]
    np.testing.assert_allclose(found.matrix, known, atol=1e-12)
    top = np.sort(known, axis=0)[::-1]
    assert found.score == pytest.approx((top[0] - top[1]).mean())


def test_lines_win_where_they_are_highest():
    sizes = (2, 5, 1, 3)
    w, b = RNG.normal(size=(2, sum(sizes)))
    # Equal ones, parallel ones, and two that meet at 0.
    w[3], b[3], w[8:], b[8:] = w[2], b[2], [1.0, 1.0, -1.0], [0.0, -0.5, 0.0]
    x = np.append(RNG.normal(scale=3, size=2000), 0.0)
    least, most = highest(w, b, sizes)
    found = (x[:, None] >= least) & (x[:, None] <= most)
    scores = np.split(np.multiply.outer(x, w) + b, np.cumsum(sizes)[:-1], axis=1)
    known = np.hstack([np.eye(part.shape[1], dtype=bool)[part.argmax(1)] for part in scores])
    np.testing.assert_array_equal(found, known)


def test_values_that_were_not_fitted_count_as_wrong():
    z = RNG.normal(size=(60, 1))
    f = (z > 0).astype(int)
    half = np.where(np.arange(60)[:, None] < 30, f, 7)
    whole = sap(z, f, z[:30], f[:30]).score
    assert sap(z, f, z, half).score == pytest.approx(whole / 2)


def test_continuous_factors_by_correlation():
    z = np.column_stack([RNG.normal(size=(200, 3)), np.full(200, 2.0)])
    f = z[:, :2] @ RNG.normal(size=(2, 2)) + RNG.normal(size=(200, 2))
    found = sap_continuous(z, f)
    known = np.corrcoef(z[:, :3].T, f.T)[:3, 3:] ** 2
    np.testing.assert_allclose(found.matrix[:3], known, atol=1e-12)
    assert (found.matrix[3] == 0).all()


def test_fixed_points():
    f = RNG.integers(4, size=(400, 2))
    z = f.astype(float)
    assert sap(z, f, z, f).score > 0.3
    assert sap(np.hstack([z, z]), f, np.hstack([z, z]), f).score == 0.0
    assert sap_continuous(np.hstack([z, z]), f).score == pytest.approx(0.0, abs=1e-12)
    one = sap(z[:, :1], f, z[:, :1], f)
    assert one.score == pytest.approx(one.matrix.mean())
    constant = np.ones((400, 2))
    assert sap(constant, f, constant, f).score == 0.0


def test_refusals():
    z = RNG.normal(size=(10, 2))
    with pytest.raises(DataError, match="Factor 0 has one value"):
        sap(z, np.zeros(10), z, np.zeros(10))
    with pytest.raises(DataError, match="factors that vary"):
        sap_continuous(z, np.zeros(10))
    with pytest.raises(DataError, match="2 latents and those to score 1"):
        sap(z, np.arange(10) % 2, z[:, :1], np.arange(10) % 2)
