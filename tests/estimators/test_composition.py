"""The estimators inside scikit-learn's own constructions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus.estimators import AE, VAE, Autoencoder, BetaVAE

QUICK: dict[str, Any] = {"epochs": 20, "hidden": (16,), "threads": 1, "random_state": 0}
TRAINED: dict[str, Any] = {**QUICK, "epochs": 60, "batch_size": 32, "lr": 1e-2}


def plane(n: int = 300) -> np.ndarray:
    """Rows of rank 2 but for a little noise."""
    chance = np.random.default_rng(3)
    x = chance.normal(size=(n, 2)) @ chance.normal(size=(2, 6))
    return x + 0.02 * chance.normal(size=x.shape)


X = plane()


def test_set_output_gives_named_columns() -> None:
    vae = VAE(2, **QUICK).set_output(transform="pandas")
    index = [f"row {i}" for i in range(len(X))]
    codes = vae.fit_transform(pd.DataFrame(X, index=index))
    assert list(codes.columns) == ["vae0", "vae1"]
    assert list(codes.index) == index


def test_pipeline_there_and_back() -> None:
    pipeline = make_pipeline(StandardScaler(), AE(2, **TRAINED))
    codes = pipeline.fit(X).transform(X)
    rebuilt = pipeline.inverse_transform(codes)
    assert ((rebuilt - X) ** 2).sum() < 0.05 * ((X - X.mean(0)) ** 2).sum()
    np.testing.assert_array_equal(pipeline.get_feature_names_out(), ["ae0", "ae1"])


def test_pipeline_into_a_classifier() -> None:
    labels = X[:, 0] > 0
    pipeline = make_pipeline(StandardScaler(), VAE(2, **QUICK), LogisticRegression())
    assert pipeline.fit(X, labels).score(X, labels) > 0.9


def test_column_transformer() -> None:
    frame = pd.DataFrame(X, columns=list("abcdef"))
    columns = ColumnTransformer(
        [("codes", VAE(1, **QUICK), list("abcd")), ("rest", "passthrough", ["e", "f"])]
    )
    assert columns.fit_transform(frame).shape == (len(X), 3)
    assert list(columns.get_feature_names_out()) == ["codes__vae0", "rest__e", "rest__f"]


def test_grid_search_finds_the_rank() -> None:
    """One dimension cannot hold a plane; two can, and a third adds next to nothing."""
    search = GridSearchCV(AE(**TRAINED), {"latent_dim": np.arange(1, 4)}, cv=2, error_score="raise")
    search.fit(X)
    one, two, three = search.cv_results_["mean_test_score"]
    assert one < 0.9
    assert two > 0.95
    assert abs(three - two) < 0.03
    assert search.best_estimator_.score(X) == search.score(X)


def test_grid_search_over_beta_and_recipe() -> None:
    search = GridSearchCV(
        BetaVAE(2, n_samples=5, **QUICK), {"beta": [1.0, 50.0]}, cv=2, error_score="raise"
    ).fit(X)
    assert search.best_params_ == {"beta": 1.0}
    recipes = GridSearchCV(
        Autoencoder(latent_dim=2, n_samples=5, **{**QUICK, "epochs": 2}),
        {"recipe": ["vae", "iwae"]},
        cv=2,
        error_score="raise",
    ).fit(X)
    assert recipes.best_params_["recipe"] in ("vae", "iwae")


def test_grid_search_in_processes_equals_one_process() -> None:
    grid = {"latent_dim": [1, 2]}
    quick = AE(**{**QUICK, "epochs": 2})
    alone, together = (
        GridSearchCV(quick, grid, cv=2, n_jobs=jobs, error_score="raise").fit(X) for jobs in (1, 2)
    )
    get_reusable_executor().shutdown(wait=True)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
