import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score

from isthmus.errors import DataError
from isthmus.metrics.readout import read_class, read_number


def two_groups(n, seed=0):
    """Unit Gaussians at distance 2 along a direction, after a stretch of the axes."""
    random = np.random.default_rng(seed)
    member = random.random(n) < 0.3
    codes = random.normal(size=(n, 3)) + 2 * member[:, None] * np.array([0.6, 0.8, 0.0])
    return codes * np.array([1.0, 10.0, 0.1]), member


def test_a_class_is_read_at_the_bayes_rate():
    codes, member = two_groups(4000)
    found = read_class(codes, member, seed=0)
    # Of two unit Gaussians at distance d the best area is Phi(d / sqrt 2).
    assert found.score.value == pytest.approx(norm.cdf(np.sqrt(2)), abs=4 * found.score.error)
    assert 0.003 < found.score.error < 0.01
    fit = LogisticRegression(C=1e6, max_iter=5000).fit(codes / codes.std(0), member)
    theirs = fit.coef_[0] / codes.std(0)
    np.testing.assert_allclose(found.weights, theirs, rtol=0.05, atol=0.02)
    # In standard deviations the way is along the standardised weights, the shortest to gain 1.
    way = found.direction / codes.std(0)
    steepest = found.weights * codes.std(0)
    np.testing.assert_allclose(way / np.linalg.norm(way), steepest / np.linalg.norm(steepest))
    assert found.weights @ found.direction == pytest.approx(1.0)
    # The dimension that only makes noise hardly moves.
    assert abs(way[2]) < 0.05 * np.linalg.norm(way)


def test_the_error_of_the_area_is_its_spread():
    """Over repeats the figure scatters by about what it says of itself."""
    found = [read_class(*two_groups(120, seed), seed=0).score for seed in range(14)]
    spread = np.std([f.value for f in found], ddof=1)
    assert np.mean([f.error for f in found]) == pytest.approx(spread, rel=0.5)


def test_noise_is_no_class():
    random = np.random.default_rng(1)
    score = read_class(random.normal(size=(800, 5)), random.random(800) < 0.5, seed=0).score
    assert abs(score.value - 0.5) < 4 * score.error


def naive_r2(codes, values, seed):
    """Five folds by scikit-learn's regression."""
    order = np.random.default_rng(seed).permutation(len(codes))
    predicted, mean = np.empty(len(codes)), np.empty(len(codes))
    for held in np.array_split(order, 5):
        rest = np.setdiff1d(np.arange(len(codes)), held)
        predicted[held] = LinearRegression().fit(codes[rest], values[rest]).predict(codes[held])
        mean[held] = values[rest].mean()
    return predicted, 1 - ((values - predicted) ** 2).sum() / ((values - mean) ** 2).sum()


def test_a_number_is_read_as_scikit_learn_does():
    random = np.random.default_rng(0)
    codes = random.normal(size=(400, 4)) * [1, 5, 0.2, 1]
    values = codes @ [1.0, 0.1, 0.0, -0.5] + 0.7 * random.normal(size=400)
    found = read_number(codes, values, seed=3)
    predicted, expected = naive_r2(codes, values, 3)
    assert found.score.value == pytest.approx(expected, abs=1e-12)
    assert found.score.value == pytest.approx(r2_score(values, predicted), abs=0.01)
    weights = LinearRegression().fit(codes, values).coef_
    np.testing.assert_allclose(found.weights, weights, atol=1e-10)
    assert weights @ found.direction == pytest.approx(1.0)
    # The bootstrap of the pairs (error, spread) is another way to the same error.
    again = []
    for _ in range(400):
        rows = random.integers(400, size=400)
        again.append(r2_score(values[rows], predicted[rows]))
    assert found.score.error == pytest.approx(np.std(again), rel=0.25)


def test_fixed_points():
    random = np.random.default_rng(0)
    codes = random.normal(size=(100, 3))
    assert read_number(codes, codes[:, 0], 0).score.value == pytest.approx(1.0)
    assert read_number(codes, random.normal(size=100), 0).score.value < 0.1
    perfect = read_class(codes, codes[:, 0] > 0, 0).score.value
    assert perfect > 0.98
    assert perfect == pytest.approx(roc_auc_score(codes[:, 0] > 0, codes[:, 0]), abs=0.02)
    # A latent that is always the same, or there twice, must not break the fit.
    doubled = np.concatenate([codes, codes[:, :1], np.ones((100, 1))], axis=1)
    assert read_number(doubled, codes[:, 0], 0).score.value == pytest.approx(1.0)
    assert np.isfinite(read_class(doubled, codes[:, 0] > 0, 0).direction).all()


def test_refusals():
    codes = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(DataError, match="at least 5"):
        read_class(codes, np.arange(20) < 4, 0)
    with pytest.raises(DataError, match="equal"):
        read_number(codes, np.ones(20), 0)
    with pytest.raises(DataError, match="at least 10"):
        read_number(codes[:9], np.arange(9), 0)
    with pytest.raises(DataError, match="rows"):
        read_number(codes, np.arange(19), 0)
