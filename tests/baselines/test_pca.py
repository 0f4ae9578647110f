import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from isthmus.baselines import ProbabilisticPCA

DIGITS = load_digits().data
TRAIN, TEST = DIGITS[:1200], DIGITS[1200:]


@pytest.mark.parametrize("latent_dim", [1, 8, 40])
def test_it_is_scikit_learns_pca(latent_dim):
    ours = ProbabilisticPCA(latent_dim).fit(TRAIN)
    theirs = PCA(latent_dim, svd_solver="full").fit(TRAIN)
    np.testing.assert_allclose(ours.log_likelihood(TEST), theirs.score_samples(TEST), rtol=1e-8)
    np.testing.assert_allclose(np.abs(ours.encode(TEST)), np.abs(theirs.transform(TEST)), atol=1e-6)
    np.testing.assert_allclose(
        ours.decode(ours.encode(TEST)), theirs.inverse_transform(theirs.transform(TEST)), atol=1e-6
    )
    assert ours.notes == ()
    assert ours.n_parameters == 64 + 64 * latent_dim + latent_dim + 1


def test_fewer_rows_than_columns_is_scikit_learns_too():
    ours, theirs = ProbabilisticPCA(4).fit(DIGITS[:30]), PCA(4).fit(DIGITS[:30])
    np.testing.assert_allclose(ours.log_likelihood(TEST), theirs.score_samples(TEST), rtol=1e-8)


def test_a_code_of_full_rank_has_the_whole_gaussians_density():
    x = np.random.default_rng(0).normal(size=(500, 4)) @ np.random.default_rng(1).normal(
        size=(4, 4)
    )
    ours = ProbabilisticPCA(4).fit(x)
    np.testing.assert_allclose(ours.log_likelihood(x), PCA(4).fit(x).score_samples(x), rtol=1e-9)
    np.testing.assert_allclose(ours.decode(ours.encode(x)), x, atol=1e-12)
    assert "raised to" in ours.notes[0]


def test_constant_columns_are_no_axes():
    # Three pixels of the digits never vary: 61 axes are there.
    ours = ProbabilisticPCA(64).fit(DIGITS)
    assert ours.latent_dim == 61
    assert ours.notes[0].startswith("latent_dim was 64; these data allow 61")
    np.testing.assert_allclose(ours.decode(ours.encode(DIGITS)), DIGITS, atol=1e-9)
    assert np.isfinite(ours.log_likelihood(DIGITS)).all()


def test_samples_have_the_datas_mean_and_the_models_covariance():
    ours, theirs = ProbabilisticPCA(5).fit(TRAIN), PCA(5).fit(TRAIN)
    draws = ours.sample(50_000, seed=0)
    np.testing.assert_allclose(draws.mean(0), TRAIN.mean(0), atol=0.15)
    np.testing.assert_allclose(np.cov(draws.T), theirs.get_covariance(), atol=0.8)


def test_many_columns_are_still_close_to_exact():
    random = np.random.default_rng(0)
    x = random.normal(size=(150, 10)) @ random.normal(size=(10, 1200))
    x += 0.1 * random.normal(size=x.shape)
    ours, theirs = ProbabilisticPCA(10).fit(x), PCA(10, svd_solver="full").fit(x)
    np.testing.assert_allclose(
        ours.decode(ours.encode(x)), theirs.inverse_transform(theirs.transform(x)), atol=1e-3
    )
