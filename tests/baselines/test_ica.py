import numpy as np
import pytest
from sklearn import decomposition

from isthmus.baselines import IndependentComponents, ProbabilisticPCA
from isthmus.baselines.base import HasDensity


@pytest.fixture(scope="module")
def sources():
    random = np.random.default_rng(0)
    return np.stack(
        [random.uniform(-1, 1, 4000), random.laplace(size=4000), random.exponential(size=4000)], 1
    )


@pytest.fixture(scope="module")
def mixed(sources):
    return 5 + sources @ np.random.default_rng(1).normal(size=(3, 6))


def matches(first, second):
    """The least over `first` of the best absolute correlation with one of `second`."""
    correlation = np.corrcoef(first.T, second.T)[: first.shape[1], first.shape[1] :]
    return np.abs(correlation).max(axis=1).min()


def test_it_finds_the_sources(sources, mixed):
    ours = IndependentComponents(3).fit(mixed)
    assert ours.notes == ()
    assert matches(sources, ours.encode(mixed)) > 0.99


def test_it_agrees_with_fastica_from_the_data(mixed):
    theirs = decomposition.FastICA(3, whiten="unit-variance", random_state=0, max_iter=500)
    assert (
        matches(theirs.fit_transform(mixed), IndependentComponents(3).fit(mixed).encode(mixed))
        > 0.999
    )


def test_codes_are_white(mixed):
    codes = IndependentComponents(3).fit(mixed).encode(mixed)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(3), atol=1e-9)


def test_it_reconstructs_as_pca_does(mixed):
    ica, pca = IndependentComponents(2).fit(mixed), ProbabilisticPCA(2).fit(mixed)
    np.testing.assert_allclose(
        ica.decode(ica.encode(mixed)), pca.decode(pca.encode(mixed)), atol=1e-9
    )
    # More than the rank of the data: the rank is used.
    whole = IndependentComponents(6).fit(mixed)
    assert whole.latent_dim == 3
    np.testing.assert_allclose(whole.decode(whole.encode(mixed)), mixed, atol=1e-9)


def test_samples_have_the_marginals_of_the_codes_and_no_dependence(mixed):
    ica = IndependentComponents(3).fit(mixed)
    codes, drawn = ica.encode(mixed), ica.encode(ica.sample(8000, seed=0))
    for j in range(3):
        np.testing.assert_allclose(
            np.quantile(drawn[:, j], [0.1, 0.5, 0.9]),
            np.quantile(codes[:, j], [0.1, 0.5, 0.9]),
            atol=0.1,
        )
    np.testing.assert_allclose(np.corrcoef((drawn**2).T), np.eye(3), atol=0.05)


def test_it_has_no_density_and_says_when_it_did_not_converge(monkeypatch):
    monkeypatch.setattr("isthmus.baselines.ica.MAX_ITERATIONS", 1)
    ica = IndependentComponents(5).fit(np.random.default_rng(0).normal(size=(100, 8)))
    assert not isinstance(ica, HasDensity)
    assert ica.notes == ("FastICA stopped at its iteration limit before it had converged.",)
