"""Rankings against scikit-learn's lasso and SciPy's rank correlation, pair by pair."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso

from isthmus.errors import DataError, UnknownNameError
from isthmus.metrics.disentanglement import relative_strength, udr
from isthmus.metrics.disentanglement.udr import lasso, spearman

RNG = np.random.default_rng(0)
S = RNG.normal(size=(1000, 4))


def standard(z):
    return (z - z.mean(0)) / z.std(0)


def padded(models):
    """(M, Z, N) with zeros where a model has fewer latents."""
    found = np.zeros((len(models), max(z.shape[1] for z in models), len(models[0])))
    for row, z in zip(found, models, strict=True):
        row[: z.shape[1]] = z.T
    return found


def test_similarities_are_the_libraries():
    models = [standard(S @ RNG.normal(size=(4, w)) + RNG.normal(size=(1000, w))) for w in (4, 3, 6)]
    models.append(standard(S @ RNG.normal(size=(4, 6)) + 0.1 * RNG.normal(size=(1000, 6))))
    latents = padded(models)
    weighed, ranked = lasso(latents), spearman(latents)
    for (i, a), (j, b) in permutations(enumerate(models), 2):
        block = (i, j, slice(a.shape[1]), slice(b.shape[1]))
        known = np.abs(Lasso(alpha=0.1, tol=1e-13, max_iter=100_000).fit(a, b).coef_).T
        np.testing.assert_allclose(weighed[block], known, atol=1e-7)
        known = np.abs([[spearmanr(x, y)[0] for y in b.T] for x in a.T])
        np.testing.assert_allclose(ranked[block], known, atol=1e-10)
    assert not weighed[:, 1, :, 3:].any()
    assert not weighed[1, :, 3:].any()
    assert not ranked[1, :, 3:].any()


def test_latents_that_repeat_each_other_are_still_weighed():
    a = standard(np.hstack([S, S[:, :2]]))
    b = standard(S @ RNG.normal(size=(4, 3)) + 0.1 * RNG.normal(size=(1000, 3)))
    known = Lasso(alpha=0.1, tol=1e-10, max_iter=10_000).fit(a, b)
    ours = lasso(padded([a, b]))[0, 1, :, :3]
    # Which twin carries a weight is free; how much both carry is not.
    assert ours.sum(0) == pytest.approx(np.abs(known.coef_).sum(1), abs=1e-6)


def test_strength_of_known_matrices():
    assert relative_strength(np.eye(4)) == 1.0
    assert relative_strength(np.zeros((3, 2))) == 0.0
    assert relative_strength(np.full((2, 2), 0.5)) == pytest.approx(0.25)
    # Rows 1, 1 and nothing; columns 1 / 2 and 1.
    matrix = np.array([[1.0, 0], [0, 1], [0, 0]])
    assert relative_strength(matrix) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("similarity", "alike"), [("lasso", 0.9), ("spearman", 0.93)])
def test_models_that_agree_stand_out_from_one_that_does_not(similarity, alike):
    agreeing = [S[:, RNG.permutation(4)] * RNG.choice([-2.0, 3.0], 4) + 1 for _ in range(4)]
    mixed = S @ np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    found = udr([*agreeing, mixed], similarity=similarity)
    # A lasso of a latent on itself comes to 1 − 0.1; ranks also correlate by chance.
    assert found.scores[:4] == pytest.approx([alike] * 4, abs=0.05)
    assert found.scores[4] < 0.7
    assert found.pairs.shape == (5, 5)
    for i in range(5):
        assert found.scores[i] == pytest.approx(np.median(np.delete(found.pairs[:, i], i)))


def test_idle_latents_are_left_out_by_their_rate():
    noise = [RNG.normal(size=(1000, 2)) for _ in range(3)]
    codes = [np.hstack([S, n]) for n in noise]
    rates = [[1.0] * 4 + [0.01, 0.001]] * 3
    assert udr(codes, rates, similarity="spearman").scores == pytest.approx([0.93] * 3, abs=0.03)
    assert (udr(codes, similarity="spearman").scores < 0.8).all()
    none = udr([*codes[:2], np.ones((1000, 3))], similarity="spearman")
    assert none.scores[2] == 0.0
    collapsed = udr(codes, [*rates[:2], [0.0] * 6])
    assert collapsed.pairs[2].tolist() == [0.0] * 3


@pytest.mark.parametrize("similarity", ["lasso", "spearman"])
def test_models_without_any_informed_latent_score_nothing(similarity):
    found = udr([S, S], [np.zeros(4), np.zeros(4)], similarity=similarity)
    np.testing.assert_array_equal(found.scores, [0.0, 0.0])


def test_a_constant_latent_is_none_whatever_its_value():
    codes = [np.hstack([S, np.full((1000, 1), value)]) for value in (0.1, 0.3, 7.7)]
    np.testing.assert_allclose(udr(codes).scores, udr([S] * 3).scores)


def test_refusals():
    with pytest.raises(DataError, match="there are 1"):
        udr([S])
    with pytest.raises(DataError, match="1000 and 999 rows"):
        udr([S, S[1:]])
    with pytest.raises(DataError, match="4 latents and 3 rates"):
        udr([S, S], [[1.0] * 4, [1.0] * 3])
    with pytest.raises(UnknownNameError, match="similarity"):
        udr([S, S], similarity="pearson")
