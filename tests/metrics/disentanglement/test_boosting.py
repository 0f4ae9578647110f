"""Trees against scikit-learn's, split for split."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from isthmus.metrics.disentanglement.boosting import Binned, Boosting

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("classes", "rows"), [(2, 400), (4, 500)])
def test_few_distinct_values_give_the_same_trees(classes, rows):
    z = np.round(RNG.normal(size=(rows, 3)), 1)
    noisy = z[:, 0] + 0.4 * z[:, 1] ** 2 + 0.2 * RNG.normal(size=rows)
    y = 3 * np.digitize(noisy, np.linspace(-0.7, 1, classes - 1)) - 1
    ours = Boosting.fit(z, y, 0)
    theirs = GradientBoostingClassifier(random_state=0).fit(z, y)
    # Chance decides between splits that gain equally, here and there.
    np.testing.assert_allclose(ours.importances, theirs.feature_importances_, atol=6e-3)
    new = RNG.normal(size=(500, 3))
    assert (ours.predict(new) == theirs.predict(new)).mean() > 0.96
    assert (ours.predict(z) == theirs.predict(z)).mean() > 0.99
    np.testing.assert_array_equal(ours.learnt, ours.predict(z))
    again = Boosting.fit(Binned.of(z), y, 0)
    np.testing.assert_array_equal(again.importances, ours.importances)


def test_many_distinct_values_are_binned_at_quantiles_with_little_lost():
    z = RNG.normal(size=(1000, 3)) ** 3
    y = (z[:, 0] + z[:, 1] > 0).astype(int)
    new = RNG.normal(size=(1000, 3)) ** 3
    truth = (new[:, 0] + new[:, 1] > 0).astype(int)
    ours = Boosting.fit(z, y, 0)
    theirs = GradientBoostingClassifier(random_state=0).fit(z, y)
    assert abs((ours.predict(new) == truth).mean() - theirs.score(new, truth)) < 0.015
    np.testing.assert_allclose(ours.importances, theirs.feature_importances_, atol=0.03)


def test_equal_inputs_share_their_importance_by_the_seed():
    z = np.repeat(RNG.integers(4, size=(300, 1)).astype(float), 2, axis=1)
    a, b = (Boosting.fit(z, z[:, 0].astype(int), seed) for seed in (0, 1))
    assert 0.2 < a.importances[0] < 0.8
    assert a.importances[0] != b.importances[0]
    assert a.importances.sum() == pytest.approx(1.0)
    again = Boosting.fit(z, z[:, 0].astype(int), 0)
    np.testing.assert_array_equal(a.importances, again.importances)


def test_nothing_to_learn():
    constant = Boosting.fit(np.ones((20, 2)), np.repeat([0, 1], [15, 5]), 0)
    assert (constant.predict(np.zeros((3, 2))) == 0).all()
    assert (constant.importances == 0).all()
    single = Boosting.fit(RNG.normal(size=(20, 2)), np.full(20, 7), 0)
    assert (single.predict(np.zeros((3, 2))) == 7).all()
    assert (single.learnt == 7).all()
