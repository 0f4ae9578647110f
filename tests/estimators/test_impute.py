"""Gaps filled in by an estimator, against the conditional mean of a Gaussian."""

import numpy as np
import pandas as pd
import pytest

from isthmus.estimators import VAE, Autoencoder

QUICK = {"hidden": (32,), "threads": 1, "random_state": 0}
# One factor makes all columns: what is observed tells what is not.
LOADINGS = np.array([1.0, -1.5, 2.0, 0.5])
NOISE = 0.2


def with_gaps(n, seed):
    random = np.random.default_rng(seed)
    whole = random.normal(size=(n, 1)) * LOADINGS + NOISE * random.normal(size=(n, 4))
    gaps = random.random((n, 4)) < 0.25
    gaps[gaps.all(1), 0] = False
    return whole, np.where(gaps, np.nan, whole)


@pytest.fixture(scope="module")
def trained():
    _, X = with_gaps(1500, 0)
    model = Autoencoder("miwae-imputation", 1, epochs=60, lr=5e-3, **QUICK)
    return model.fit(X)


def conditional_mean(X):
    """E[x_missing | x_observed] of the Gaussian that made the data."""
    covariance = np.outer(LOADINGS, LOADINGS) + NOISE**2 * np.eye(4)
    filled = X.copy()
    for row in filled:
        gone = np.isnan(row)
        seen = ~gone
        weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, gone)])
        row[gone] = row[seen] @ weights
    return filled


def test_gaps_get_the_conditional_mean(trained):
    whole, X = with_gaps(300, 1)
    filled, gone = trained.impute(X), np.isnan(X)
    np.testing.assert_array_equal(filled[~gone], X[~gone])
    best = np.square(conditional_mean(X) - whole)[gone].mean()
    found = np.square(filled - whole)[gone].mean()
    # By the column's mean, about 1.9 times the mean square of the loadings.
    assert found < 2.0 * best
    assert found < 0.2 * np.square(whole)[gone].mean()
    np.testing.assert_array_equal(filled, trained.impute(X))


def test_draws_scatter_about_the_mean_as_the_noise_does(trained):
    _, X = with_gaps(100, 2)
    X[:, 2] = np.nan
    draws = np.stack([trained.impute(X, random_state=i, mode="sample")[:, 2] for i in range(30)])
    assert 0.5 * NOISE < np.median(draws.std(0)) < 4.0 * NOISE
    np.testing.assert_allclose(draws.mean(0), trained.impute(X)[:, 2], atol=0.6)


def test_codes_and_densities_of_rows_with_gaps(trained):
    _, X = with_gaps(20, 3)
    frame = pd.DataFrame(X)
    assert np.isfinite(trained.transform(X)).all()
    assert np.isfinite(trained.score_samples(X[:3])).all()
    assert trained.impute(X.astype(np.float32)).dtype == np.float32
    assert not np.isnan(trained.impute(frame.to_numpy())).any()


def test_who_cannot_fill_says_so():
    whole, X = with_gaps(60, 4)
    assert not hasattr(VAE(2), "impute")
    with pytest.raises(AttributeError) as caught:
        VAE(2).impute(X)
    assert "miwae-imputation" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match="contains NaN"):
        VAE(2, epochs=1, **QUICK).fit(X)
    complete = Autoencoder("miwae-imputation", 1, epochs=1, **QUICK).fit(whole)
    with pytest.raises(AttributeError) as caught:
        complete.impute(X)
    assert "learned from complete data" in str(caught.value.__cause__)
    # Fitted again to data with gaps it can.
    assert not np.isnan(complete.fit(X).impute(X, 5)).any()
