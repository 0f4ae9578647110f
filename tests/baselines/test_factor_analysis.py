import numpy as np
import pytest
from sklearn import decomposition

from isthmus.baselines import FactorAnalysis, ProbabilisticPCA


def draw(n, seed=0):
    random = np.random.default_rng(0)
    loading, noise = random.normal(size=(8, 2)), random.uniform(0.2, 1.5, size=8)
    random = np.random.default_rng(seed)
    return 3 + random.normal(size=(n, 2)) @ loading.T + noise * random.normal(size=(n, 8))


@pytest.mark.parametrize("n", [16, 900])
def test_it_is_scikit_learns(n):
    # Up to 2 D rows it is solved on the data, above on their covariance.
    x, held_out = draw(n), draw(50, seed=1)
    ours = FactorAnalysis(2).fit(x)
    theirs = decomposition.FactorAnalysis(2, svd_method="lapack").fit(x)
    np.testing.assert_allclose(
        ours.log_likelihood(held_out), theirs.score_samples(held_out), rtol=1e-8
    )
    np.testing.assert_allclose(
        np.abs(ours.encode(held_out)), np.abs(theirs.transform(held_out)), atol=1e-8
    )
    assert ours.notes == ()
    assert ours.n_parameters == 8 + 8 + 16


def test_many_columns_use_the_random_solver_on_few_rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(900, 3)) @ random.normal(size=(3, 300)) + random.normal(size=(900, 300))
    ours = FactorAnalysis(3).fit(x)
    theirs = decomposition.FactorAnalysis(3, random_state=0).fit(x)
    assert ours.log_likelihood(x).mean() == pytest.approx(theirs.score(x), abs=0.01)


def test_it_finds_more_likely_what_has_uneven_noise():
    x, held_out = draw(900), draw(500, seed=1)
    of_factors = FactorAnalysis(2).fit(x).log_likelihood(held_out).mean()
    assert of_factors > ProbabilisticPCA(2).fit(x).log_likelihood(held_out).mean() + 0.3


def test_a_constant_column_gets_the_others_noise():
    x, held_out = draw(900), draw(50, seed=1)
    plain = FactorAnalysis(2).fit(x)
    wide = FactorAnalysis(2).fit(np.insert(x, 3, 0.1, axis=1))
    assert wide.notes[-1].startswith("1 columns are constant")
    held = np.insert(held_out, 3, 0.1, axis=1)
    extra = wide.log_likelihood(held) - plain.log_likelihood(held_out)
    # One Gaussian factor more, at its mean: the same for all data.
    np.testing.assert_allclose(extra, extra[0], atol=1e-3)
    assert -2 < extra[0] < 0.5


def test_columns_without_noise_keep_the_density_bounded():
    x = draw(300)
    twins = np.concatenate([x[:, :1]] * 2 + [x[:, 1:]], axis=1)
    ours = FactorAnalysis(4).fit(twins)
    assert any("without noise" in note for note in ours.notes)
    assert np.isfinite(ours.log_likelihood(twins)).all()


def test_samples_have_the_models_covariance():
    x = draw(900)
    ours = FactorAnalysis(2).fit(x)
    theirs = decomposition.FactorAnalysis(2, svd_method="lapack").fit(x)
    draws = ours.sample(100_000, seed=0)
    np.testing.assert_allclose(np.cov(draws.T), theirs.get_covariance(), atol=0.1)
