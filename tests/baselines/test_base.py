"""The contract, over every registered baseline."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from isthmus.baselines import BASELINES, Baseline, CanSample, HasDensity, HasPosterior
from isthmus.errors import DataError, OptionError, UnsupportedError

NAMES = [entry.name for entry in BASELINES]
DIGITS = load_digits().data / 16


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    return BASELINES.create(request.param, latent_dim=8).fit(DIGITS[:1000])


def fresh(fitted, **options):
    return BASELINES.create(fitted.name, **{"latent_dim": 2, **options})


def test_the_registry_knows_them_all():
    assert sorted(NAMES) == ["factor-analysis", "ica", "lsa", "nmf", "pca"]
    for entry in BASELINES:
        assert entry.factory.name == entry.name
        assert entry.summary
        assert entry.about["year"] > 1900


def test_codes_and_reconstructions_have_the_contracts_shapes(fitted):
    assert isinstance(fitted, Baseline)
    x = DIGITS[1000:1300]
    z = fitted.encode(x)
    x_hat = fitted.decode(z)
    assert (z.shape, x_hat.shape) == ((300, 8), (300, 64))
    assert z.dtype == x_hat.dtype == np.float64
    assert fitted.latent_dim == 8
    assert fitted.n_parameters >= 8 * 64
    # The held-out error lies between nothing learned and everything kept.
    kept = 1 - ((x - x_hat) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert 0.5 < kept < 0.7


def test_what_it_can_is_what_its_type_says(fitted):
    x = DIGITS[1000:1050]
    if isinstance(fitted, HasDensity):
        assert np.isfinite(fitted.log_likelihood(x)).all()
        assert fitted.log_likelihood(x).shape == (50,)
    if isinstance(fitted, HasPosterior):
        mean, covariance = fitted.posterior(x)
        assert (mean.shape, covariance.shape) == ((50, 8), (8, 8))
        np.testing.assert_allclose(
            -(fitted.rate(x) + fitted.distortion(x)), fitted.log_likelihood(x), rtol=1e-10
        )
        assert (fitted.rate(x) > 0).all()
    if isinstance(fitted, CanSample):
        draws = fitted.sample(30, seed=1)
        assert draws.shape == (30, 64)
        np.testing.assert_array_equal(draws, fitted.sample(30, seed=1))
        assert not np.array_equal(draws, fitted.sample(30, seed=2))


def test_fitting_again_gives_the_same_and_leaves_the_world_alone(fitted):
    x, before = DIGITS[:200].copy(), np.random.get_state()[1].copy()
    baseline = fresh(fitted)
    first = baseline.fit(x).encode(x)
    np.testing.assert_array_equal(baseline.fit(x).encode(x), first)
    np.testing.assert_array_equal(x, DIGITS[:200])
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_a_code_larger_than_the_data_is_clipped_with_a_note(fitted):
    x = DIGITS[:12, 18:23]
    baseline = fresh(fitted, latent_dim=50).fit(x)
    assert baseline.latent_dim == 5
    assert baseline.notes[0] == "latent_dim was 50; these data allow 5, which was used."
    assert baseline.encode(x).shape == (12, 5)
    if baseline.name not in ("factor-analysis", "nmf"):
        np.testing.assert_allclose(baseline.decode(baseline.encode(x)), x, atol=1e-10)
    # What was asked for is asked again of other data.
    assert baseline.fit(DIGITS[:300]).latent_dim > 5


def test_fewer_rows_than_columns(fitted):
    x = DIGITS[:10]
    baseline = fresh(fitted, latent_dim=20).fit(x)
    assert baseline.latent_dim in (9, 10)
    assert np.isfinite(baseline.decode(baseline.encode(DIGITS[10:20]))).all()
    if isinstance(baseline, HasDensity):
        assert np.isfinite(baseline.log_likelihood(DIGITS[10:20])).all()
    if isinstance(baseline, CanSample):
        assert np.isfinite(baseline.sample(5, seed=0)).all()


def test_two_rows_and_duplicated_rows(fitted):
    for x in (DIGITS[:2], np.repeat(DIGITS[:2], 20, axis=0)):
        baseline = fresh(fitted, latent_dim=1).fit(x)
        assert np.isfinite(baseline.decode(baseline.encode(x))).all()


def test_what_cannot_be_learned_from_is_refused(fitted):
    with pytest.raises(DataError, match="1 row"):
        fresh(fitted).fit(DIGITS[:1])
    with pytest.raises(DataError, match="Every column of the data is constant"):
        fresh(fitted).fit(np.full((5, 3), 0.1))
    with pytest.raises(DataError, match=r"shape \(5, 2, 2\)"):
        fresh(fitted).fit(np.ones((5, 2, 2)))
    with pytest.raises(DataError, match="nan in row 1, column 2"):
        fresh(fitted).fit(np.array([[0, 1, 2], [1, 1, np.nan]]))
    with pytest.raises(OptionError, match="latent_dim is 0"):
        fresh(fitted, latent_dim=0)


def test_wrong_shapes_and_early_questions_are_refused(fitted):
    with pytest.raises(DataError, match="data have 63 columns; this baseline expects 64"):
        fitted.encode(DIGITS[:5, 1:])
    with pytest.raises(DataError, match="codes have 3 columns; this baseline expects 8"):
        fitted.decode(np.zeros((5, 3)))
    with pytest.raises(UnsupportedError, match="learned nothing yet; call fit"):
        fresh(fitted).encode(DIGITS[:5])


def test_a_mistyped_name_is_answered():
    with pytest.raises(LookupError, match="Did you mean 'pca'"):
        BASELINES.create("pcaa", latent_dim=2)
