"""What the estimators answer: numbers, precision, chance, refusals."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import scale

from isthmus.errors import DataError, OptionError, UnknownNameError, UnsupportedError
from isthmus.estimators import AE, IWAE, VAE, Autoencoder, BetaVAE
from isthmus.estimators.base import LatentEstimator

QUICK: dict[str, Any] = {"epochs": 20, "hidden": (16,), "threads": 1, "random_state": 0}
TRAINED: dict[str, Any] = {**QUICK, "epochs": 60, "batch_size": 32, "lr": 1e-2}
CLASSES = [AE, VAE, BetaVAE, IWAE, Autoencoder]


def low_rank(n: int = 400, features: int = 6, noise: float = 0.05) -> np.ndarray:
    """Rows near a plane, with a mean that is not 0."""
    chance = np.random.default_rng(3)
    plane = chance.normal(size=(n, 2)) @ chance.normal(size=(2, features))
    return plane + noise * chance.normal(size=plane.shape) + 5.0


X = low_rank()
# A plane with much noise, for a linear decoder.
WIDE = scale(low_rank(noise=0.5))


@pytest.fixture(scope="module")
def vae() -> VAE:
    return VAE(2, **TRAINED).fit(X)


@pytest.fixture(scope="module")
def linear() -> VAE:
    budget = {"epochs": 800, "batch_size": 400, "lr": 5e-2, "threads": 1}
    return VAE(2, network="linear", validation_fraction=0.0, random_state=0, **budget).fit(WIDE)


@pytest.fixture(scope="module")
def analysis() -> FactorAnalysis:
    return FactorAnalysis(2, tol=1e-6, max_iter=5000).fit(WIDE)


def test_more_importance_samples_do_not_lower_the_bound(vae: VAE) -> None:
    few, some, many = (vae.score_samples(X[:150], n_samples=k).mean() for k in (1, 10, 200))
    assert few < some < many


def test_score_is_the_mean_of_score_samples(vae: VAE) -> None:
    assert vae.score(X[:50]) == np.mean(vae.score_samples(X[:50])) == vae.score(X[:50])


def test_scores_are_densities_in_the_units_of_the_data(vae: VAE) -> None:
    """In other units the density changes by the factor's logarithm for each column."""
    scaled = VAE(2, **TRAINED).fit(100.0 * X)
    shift = X.shape[1] * np.log(100.0)
    expected = vae.score(X[:50]) - shift
    assert scaled.score(100.0 * X[:50]) == pytest.approx(expected, abs=0.05)


def test_score_comes_near_the_density_of_factor_analysis(
    linear: VAE, analysis: FactorAnalysis
) -> None:
    """Factor analysis is the best that a linear decoder with a scale per column can do."""
    best = analysis.score(WIDE)
    assert best - 0.03 < linear.score(WIDE) < best


def test_samples_have_the_moments_of_factor_analysis(linear: VAE, analysis: FactorAnalysis) -> None:
    drawn = linear.sample(20_000, random_state=1)
    assert drawn.shape == (20_000, WIDE.shape[1])
    np.testing.assert_allclose(drawn.mean(0), 0.0, atol=0.1)
    covariance = analysis.get_covariance()
    assert np.linalg.norm(np.cov(drawn.T) - covariance) < 0.15 * np.linalg.norm(covariance)


def test_a_row_scores_the_same_in_any_company(vae: VAE) -> None:
    whole = vae.score_samples(X[:20], n_samples=7)
    alone = np.concatenate([vae.score_samples(X[i : i + 1], n_samples=7) for i in range(20)])
    np.testing.assert_allclose(alone, whole, rtol=1e-10)
    np.testing.assert_allclose(vae.score_samples(X[19::-1], n_samples=7), whole[::-1], rtol=1e-10)


def test_round_trip_is_the_reconstruction_of_the_model(vae: VAE) -> None:
    there_and_back = vae.inverse_transform(vae.transform(X.astype(np.float32)))
    expected = vae.model_.reconstruct(torch.tensor(X, dtype=torch.float32)).numpy()
    np.testing.assert_array_equal(there_and_back, expected)


def test_samples_scatter_about_the_means(vae: VAE) -> None:
    means = vae.sample(200, random_state=1, mode="mean")
    drawn = vae.sample(200, random_state=1)
    expected = vae.model_.likelihood.scale().detach().numpy() * vae.model_.scaling.scale.numpy()
    np.testing.assert_allclose((drawn - means).std(0), expected, rtol=0.2)


def test_samples_follow_their_seed(vae: VAE) -> None:
    np.testing.assert_array_equal(vae.sample(5), vae.sample(5))
    np.testing.assert_array_equal(vae.sample(5, random_state=7), vae.sample(5, random_state=7))
    assert not np.array_equal(vae.sample(5, random_state=7), vae.sample(5, random_state=8))
    chance = np.random.RandomState(0)
    assert not np.array_equal(
        vae.sample(5, random_state=chance), vae.sample(5, random_state=chance)
    )


def test_point_codes_sample_means_and_score_by_r2() -> None:
    ae = AE(2, **TRAINED).fit(X)
    rebuilt = ae.inverse_transform(ae.transform(X))
    r2 = 1 - ((X - rebuilt) ** 2).sum() / ((X - X.mean(0)) ** 2).sum()
    assert ae.score(X) == pytest.approx(r2, rel=1e-12)
    assert r2 > 0.95
    np.testing.assert_array_equal(ae.sample(9), ae.sample(9, mode="mean"))


@pytest.mark.parametrize("estimator", [AE(), Autoencoder("dae"), AE(2, **QUICK).fit(X)])
def test_point_codes_have_no_score_samples(estimator: LatentEstimator) -> None:
    assert not hasattr(estimator, "score_samples")
    with pytest.raises(AttributeError) as error:
        estimator.score_samples(X)
    assert "use VAE" in str(error.value.__cause__)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(cls: type[LatentEstimator], dtype: type) -> None:
    x = X.astype(dtype)
    estimator = cls(latent_dim=3, **{**QUICK, "epochs": 1})
    codes = estimator.fit_transform(x)
    assert codes.shape == (len(X), 3)
    assert codes.dtype == estimator.inverse_transform(codes).dtype == dtype
    if hasattr(estimator, "score_samples"):
        assert estimator.score_samples(x, n_samples=2).dtype == dtype


@pytest.mark.parametrize("cls", CLASSES)
def test_same_seed_same_bits(cls: type[LatentEstimator]) -> None:
    estimator = cls(latent_dim=2, **{**QUICK, "epochs": 3})
    first = estimator.fit_transform(X)
    np.testing.assert_array_equal(clone(estimator).fit_transform(X), first)
    np.testing.assert_array_equal(estimator.fit_transform(X), first)
    other = clone(estimator).set_params(random_state=1).fit_transform(X)
    assert not np.array_equal(other, first)


def test_the_callers_random_states_stay() -> None:
    torch.manual_seed(5)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    vae = VAE(2, encode_mode="sample", **{**QUICK, "epochs": 1}).fit(X)
    vae.transform(X)
    vae.sample(3)
    vae.score(X[:9])
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


def test_random_state_may_be_a_generator_or_none() -> None:
    quick = {**QUICK, "epochs": 1}
    first = VAE(2, **{**quick, "random_state": np.random.RandomState(3)}).fit_transform(X)
    second = VAE(2, **{**quick, "random_state": np.random.RandomState(3)}).fit_transform(X)
    np.testing.assert_array_equal(first, second)
    before = np.random.get_state()
    try:
        free = VAE(2, **{**quick, "random_state": None})
        assert not np.array_equal(free.fit_transform(X), free.fit_transform(X))
    finally:
        np.random.set_state(before)


def test_encode_modes(vae: VAE) -> None:
    by_mode = {}
    for mode in ("mean", "argmax", "sample"):
        chosen = copy.deepcopy(vae).set_params(encode_mode=mode)
        by_mode[mode] = chosen.transform(X)
        np.testing.assert_array_equal(chosen.transform(X), by_mode[mode])
    np.testing.assert_array_equal(by_mode["argmax"], by_mode["mean"])
    assert not np.array_equal(by_mode["sample"], by_mode["mean"])


def test_copies_answer_alike(vae: VAE, tmp_path: Any) -> None:
    joblib.dump(vae, tmp_path / "vae.joblib")
    copies = [
        pickle.loads(pickle.dumps(vae)),
        copy.deepcopy(vae),
        joblib.load(tmp_path / "vae.joblib"),
    ]
    for one in copies:
        np.testing.assert_array_equal(one.transform(X), vae.transform(X))
        np.testing.assert_array_equal(one.score_samples(X[:5]), vae.score_samples(X[:5]))
        np.testing.assert_array_equal(one.sample(3), vae.sample(3))
        assert all(p.device.type == "cpu" for p in one.model_.parameters())


def test_what_is_learned(vae: VAE) -> None:
    # 400 rows less 40 held out make 11 batches of 32 in each of 60 epochs.
    assert vae.n_iter_ == 660
    assert vae.n_features_in_ == 6
    assert vae.spec_.shape == (6,)
    assert any("validation/loss" in record for record in vae.history_)
    assert list(vae.get_feature_names_out()) == ["vae0", "vae1"]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_and_their_names(frame: Any) -> None:
    names = [f"sensor {i}" for i in range(X.shape[1])]
    data = frame(dict(zip(names, X.T, strict=True)))
    vae = VAE(2, **{**QUICK, "epochs": 2}).fit(data)
    assert list(vae.feature_names_in_) == names
    assert [column.name for column in vae.spec_.columns] == names
    np.testing.assert_array_equal(
        vae.transform(data), VAE(2, **{**QUICK, "epochs": 2}).fit_transform(X)
    )


@pytest.mark.parametrize("form", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
def test_sparse_whole_numbers_are_counts(form: Any) -> None:
    counts = np.random.default_rng(0).poisson([0.2, 3.0, 1.0, 0.5], size=(120, 4))
    vae = VAE(2, **{**QUICK, "epochs": 3}).fit(form(counts))
    assert (vae.spec_.kind, vae.spec_.support) == ("counts", "count")
    dense, sparse = vae.transform(counts), vae.transform(form(counts))
    np.testing.assert_allclose(dense, sparse, rtol=1e-12)
    assert vae.score(form(counts)) == pytest.approx(vae.score(counts), rel=1e-12)
    drawn = vae.sample(50)
    np.testing.assert_array_equal(drawn, np.round(drawn))


def test_sparse_stays_sparse_where_dense_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = scipy.sparse.random(120, 8, density=0.3, format="csr", random_state=0)
    quick = {**QUICK, "epochs": 3}
    dense = AE(2, **quick).fit(matrix)
    monkeypatch.setattr("isthmus.estimators.rows.DENSE_BYTES", 0)
    kept = AE(2, **quick).fit(matrix)
    assert kept.spec_.support == "real"
    np.testing.assert_array_equal(kept.transform(matrix), dense.transform(matrix))
    assert kept.score(matrix) == pytest.approx(dense.score(matrix), rel=1e-12)


def _whole(x: np.ndarray) -> np.ndarray:
    return np.abs(x).round()


@pytest.mark.parametrize(
    ("x", "likelihood", "support"),
    [
        (X, "auto", "real"),
        ((X > 5).astype(float), "auto", "binary"),
        ((X > 5).astype(float), "gaussian", "real"),
        (_whole(X), "auto", "real"),
        (_whole(X), "poisson", "count"),
        (1 / (1 + np.exp(-X)), "continuous-bernoulli", "unit"),
        (scipy.sparse.csr_array(_whole(X)), "gaussian", "real"),
    ],
)
def test_the_support_follows_values_and_likelihood(x: Any, likelihood: str, support: str) -> None:
    vae = VAE(2, likelihood=likelihood, **{**QUICK, "epochs": 1}).fit(x)
    assert vae.spec_.support == support
    assert np.isfinite(vae.score(x))


@pytest.mark.parametrize("shape", [(1, 4, 8), (4, 8), np.array([2, 4, 4])])
def test_rows_as_images(shape: Any) -> None:
    images = np.random.default_rng(0).random((80, 32))
    vae = VAE(2, shape=shape, network="conv", **{**QUICK, "epochs": 1, "hidden": (4, 4)})
    codes = vae.fit(images).transform(images)
    assert vae.spec_.shape == (tuple(shape) if len(shape) == 3 else (1, 4, 8))
    assert vae.inverse_transform(codes).shape == vae.sample(80).shape == images.shape
    assert vae.score_samples(images).shape == (80,)
    sparse = scipy.sparse.csr_array(images)
    np.testing.assert_array_equal(vae.fit(sparse).transform(sparse), codes)


def test_notes_say_what_was_handled() -> None:
    few = np.column_stack([X[:20, :2], np.ones(20)])
    notes = " | ".join(VAE(8, **{**QUICK, "epochs": 1}).fit(few).notes_)
    assert "too few can be held out" in notes
    assert "8 dimensions and a datum only 3" in notes
    assert "same value in every row" in notes


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    VAE(8, **{**QUICK, "epochs": 1, "verbose": 1}).fit(X[:20])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "VAE: of 20 rows too few can be held out" in shown.err


def test_own_options_reach_the_recipe() -> None:
    quick = {**QUICK, "epochs": 3}
    beta = BetaVAE(2, beta=7.0, **quick).fit_transform(X)
    named = Autoencoder("beta-vae", 2, options={"beta": 7.0}, **quick).fit_transform(X)
    np.testing.assert_array_equal(beta, named)
    other = BetaVAE(2, beta=0.1, **quick).fit_transform(X)
    assert not np.array_equal(beta, other)
    iwae = IWAE(2, importance_samples=3, **quick).fit_transform(X)
    named = Autoencoder("iwae", 2, options={"samples": 3}, **quick).fit_transform(X)
    np.testing.assert_array_equal(iwae, named)


@pytest.mark.parametrize(
    ("estimator", "error", "words"),
    [
        (Autoencoder("vea"), UnknownNameError, "Did you mean 'vae'"),
        (VAE(0), OptionError, "latent_dim=0"),
        (VAE(2.5), OptionError, "latent_dim=2.5"),
        (VAE(hidden=3), OptionError, "hidden=3"),
        (VAE(lr=-1.0), OptionError, "lr=-1"),
        (VAE(epochs=1, minutes=1.0), OptionError, "choose one budget"),
        (VAE(threads=0), OptionError, "threads=0"),
        (VAE(device="gpu"), OptionError, "use auto or cpu"),
        (VAE(network="cnv"), UnknownNameError, "Did you mean 'conv'"),
        (VAE(likelihood="poison"), UnknownNameError, "Did you mean 'poisson'"),
        (VAE(likelihood="poisson"), OptionError, "these data are real"),
        (VAE(shape=(1, 2, 4)), OptionError, "rows of 6 numbers"),
        (VAE(n_samples=0), OptionError, "n_samples=0"),
        (VAE(validation_fraction=1.0), OptionError, "validation_fraction=1.0"),
        (VAE(encode_mode="men"), UnknownNameError, "Did you mean 'mean'"),
        (AE(encode_mode="argmax"), UnsupportedError, "use mode='mean'"),
        (VAE(options={"clp": 1.0}), OptionError, "Did you mean 'clip'"),
        (VAE(options={"lr": 1.0}), OptionError, "give lr=... instead"),
        (VAE(options={"seed": 1}), OptionError, "give random_state=... instead"),
        (BetaVAE(beta=-1.0), OptionError, "beta=-1.0"),
        (IWAE(importance_samples=0), OptionError, "importance_samples=0"),
    ],
)
def test_fit_refuses(estimator: LatentEstimator, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        estimator.fit(X)
    assert not hasattr(estimator, "model_")


def test_values_too_large_for_float32() -> None:
    large = X.copy()
    large[3, 2] = 1e300
    with pytest.raises(DataError, match="row 3"):
        VAE(2).fit(large)


def test_the_fitted_refuse(vae: VAE) -> None:
    with pytest.raises(DataError, match="3 columns and this model's have 2"):
        vae.inverse_transform(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="expecting 6 features"):
        vae.transform(X[:, :4])
    with pytest.raises(ValueError, match="NaN"):
        vae.score_samples(np.full((2, 6), np.nan))
    with pytest.raises(OptionError, match="n_samples=0"):
        vae.score_samples(X, n_samples=0)
    with pytest.raises(OptionError, match="n_samples=-1"):
        vae.sample(-1)
    for method in ("transform", "inverse_transform", "score_samples", "score"):
        with pytest.raises(NotFittedError):
            getattr(VAE(), method)(X)
    with pytest.raises(NotFittedError):
        VAE().sample()


def test_values_without_a_density_are_refused_and_not_scored():
    chance = np.random.default_rng(0)
    bits, counts = chance.integers(2, size=(90, 5)).astype(float), chance.poisson(2.0, (90, 5))
    one = VAE(2, epochs=1, **{k: v for k, v in QUICK.items() if k != "epochs"}).fit(bits)
    many = clone(one).fit(scipy.sparse.csr_matrix(counts.astype(float)))
    assert np.isfinite(one.score_samples(0.5 * bits)).all()
    assert np.isfinite(many.score_samples(counts.astype(float))).all()
    for model, wrong in (
        (one, 3.0 * bits),
        (one, bits - 0.5),
        (many, counts + 0.5),
        (many, -counts),
    ):
        with pytest.raises(DataError, match="has a density on"):
            model.score(wrong)
