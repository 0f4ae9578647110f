"""Estimators that are told something: labels for a few rows, or a condition for all."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus.errors import DataError, OptionError, UnknownNameError
from isthmus.estimators import VAE, Autoencoder

QUICK = {"hidden": (16,), "threads": 1, "random_state": 0}
A = np.array([2.0, -1.0, 0.5])
SHIFTS = {"f": np.array([3.0, 0.0, -2.0]), "m": np.array([-2.0, 1.0, 2.0])}


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(400, 5, centers=3, cluster_std=1.0, random_state=4)
    names = np.array(["ant", "bee", "cow"])[y]
    few = names.astype(object)
    few[np.random.default_rng(0).permutation(400)[:370]] = -1
    return X, names, few


@pytest.fixture(scope="module")
def m2(blobs):
    X, _, few = blobs
    return Autoencoder("m2", 2, epochs=40, batch_size=32, lr=1e-2, **QUICK).fit(X, few)


def test_classes_are_predicted_from_a_few_labels(m2, blobs):
    X, names, few = blobs
    assert m2.classes_.tolist() == ["ant", "bee", "cow"]
    hidden = few == -1
    assert (m2.predict(X)[hidden] == names[hidden]).mean() > 0.95
    probabilities = m2.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1.0)
    np.testing.assert_array_equal(m2.classes_[probabilities.argmax(1)], m2.predict(X))


def test_labels_keep_their_type_and_all_three_marks_stand_for_unknown(blobs):
    X, names, _ = blobs
    numbers = np.searchsorted(["ant", "bee", "cow"], names) + 5
    estimator = Autoencoder("m2", 1, epochs=1, **QUICK)
    for unknown in (-1, np.nan, None):
        y = numbers.astype(object)
        y[::2] = unknown
        y = y if unknown is None else y.astype(type(unknown))
        predicted = estimator.fit(X, y).predict(X)
        assert set(predicted) <= {5, 6, 7}
        assert len(estimator.classes_) == 3
        assert any("of 360 training data are labelled" in note for note in estimator.notes_)


def test_a_class_can_be_drawn_and_taken_for_another(m2, blobs):
    X, names, _ = blobs
    centres = {name: X[names == name].mean(0) for name in m2.classes_}
    for name, centre in centres.items():
        drawn = m2.sample(300, condition=name).mean(0)
        nearest = min(centres, key=lambda other: np.linalg.norm(centres[other] - drawn))
        assert nearest == name, (drawn, centre)
    codes = m2.transform(X)
    cow = m2.inverse_transform(codes, condition="cow")
    assert np.linalg.norm(cow.mean(0) - centres["cow"]) < np.linalg.norm(
        cow.mean(0) - centres["ant"]
    )


def test_a_label_that_is_given_is_part_of_the_density(m2, blobs):
    X, names, _ = blobs
    rows = X[:20]
    alone = m2.score_samples(rows, 300)
    parts = [m2.score_samples(rows, 300, condition=name) for name in m2.classes_]
    np.testing.assert_allclose(np.logaddexp.reduce(parts, axis=0), alone, atol=0.2)
    # A label can only take from the density: next to nothing where the classes lie apart and it is
    # the right one, nearly all where it is not.
    right, others = names[:20], np.roll(m2.classes_, 1)[np.searchsorted(m2.classes_, names[:20])]
    assert m2.score(rows, condition=right) <= m2.score(rows)
    assert m2.score(rows, condition=others) < m2.score(rows) - 1


def test_it_stands_at_the_end_of_a_pipeline(blobs):
    X, names, few = blobs
    model = make_pipeline(StandardScaler(), Autoencoder("m2", 2, epochs=20, lr=1e-2, **QUICK))
    assert (model.fit(X, few).predict(X) == names).mean() > 0.95


def test_clusters_are_predicted_by_number():
    X, y = make_blobs(300, 4, centers=3, cluster_std=0.3, random_state=1)
    options = {"clusters": 3}
    estimator = Autoencoder("vade", 2, epochs=40, lr=1e-2, options=options, **QUICK).fit(X)
    clusters = estimator.predict(X)
    assert clusters.dtype.kind == "i"
    purity = sum(np.bincount(y[clusters == c]).max() for c in np.unique(clusters)) / len(y)
    assert purity > 0.6
    np.testing.assert_allclose(estimator.predict_proba(X).sum(1), 1.0)
    one = Autoencoder("categorical-vae", 1, epochs=1, **QUICK).fit(X)
    likeliest = one.set_params(encode_mode="argmax").transform(X)[:, 0]
    np.testing.assert_array_equal(one.predict(X), likeliest)


def test_a_recipe_without_classes_has_no_predict(blobs):
    X = blobs[0]
    for estimator in (VAE(2, epochs=1, **QUICK), VAE(2, epochs=1, **QUICK).fit(X)):
        assert not hasattr(estimator, "predict")
        with pytest.raises(AttributeError, match="no attribute 'predict_proba'"):
            estimator.predict_proba(X)


@pytest.fixture(scope="module")
def world():
    chance = np.random.default_rng(0)
    sex = chance.choice(["f", "m"], 1500)
    X = chance.normal(size=(1500, 1)) * A + np.array([SHIFTS[s] for s in sex])
    return X + 0.3 * chance.normal(size=X.shape), sex


def test_a_counterfactual_is_what_the_world_would_have_made(world):
    X, sex = world
    cvae = Autoencoder("cvae", 1, epochs=40, lr=1e-2, **QUICK).fit(X, condition=sex)
    codes = cvae.transform(X, condition=sex)
    other = np.where(sex == "f", "m", "f")
    rebuilt = cvae.inverse_transform(codes, condition=other)
    truth = X + np.array([SHIFTS[o] - SHIFTS[s] for o, s in zip(other, sex, strict=True)])
    assert np.sqrt(np.square(rebuilt - truth).mean()) < 0.36
    drawn = cvae.sample(2000, random_state=1, condition="m")
    np.testing.assert_allclose(drawn.mean(0), SHIFTS["m"], atol=0.3)
    own, wrong = (
        cvae.score(X[:100], condition=sex[:100]),
        cvae.score(X[:100], condition=other[:100]),
    )
    assert own > wrong
    with pytest.raises(DataError, match="conditioned on 2 numbers"):
        cvae.transform(X)
    with pytest.raises(UnknownNameError, match="value of condition"):
        cvae.transform(X, condition="x")
    with pytest.raises(DataError, match="one value of each"):
        cvae.transform(X, condition=sex[:7])


def test_columns_of_a_frame_are_numbers_and_categories(world):
    X, sex = world
    frame = pd.DataFrame({"age": np.arange(len(X)) % 50, "sex": sex})
    ivae = Autoencoder("ivae", 2, epochs=1, **QUICK)
    codes = ivae.fit_transform(X, condition=frame)
    assert [(c.name, c.categories) for c in ivae.spec_.condition] == [
        ("age", ()),
        ("sex", ("f", "m")),
    ]
    np.testing.assert_array_equal(codes, ivae.transform(X, condition=frame))
    row = ivae.transform(X[3:4], condition=[[3, frame["sex"][3]]])
    np.testing.assert_allclose(row, codes[3:4])


def test_what_is_missing_is_said(world):
    X, sex = world
    with pytest.raises(OptionError, match=r"fit\(X, y\)"):
        Autoencoder("m2", 1, epochs=1, **QUICK).fit(X)
    with pytest.raises(OptionError, match="at least two classes"):
        Autoencoder("m2", 1, epochs=1, **QUICK).fit(X, np.full(len(X), -1))
    with pytest.raises(DataError, match="one label for each"):
        Autoencoder("m2", 1, epochs=1, **QUICK).fit(X, sex[:9])
    with pytest.raises(OptionError, match="condition"):
        Autoencoder("cvae", 1, epochs=1, **QUICK).fit(X)
    with pytest.raises(OptionError, match="not conditioned on anything"):
        VAE(1, epochs=1, **QUICK).fit(X).transform(X, condition=sex)


def test_a_frame_of_conditions_is_read_by_its_names(blobs):
    X, names, _ = blobs
    rng = np.random.default_rng(0)
    told = pd.DataFrame({"u": rng.normal(size=400), "w": 5 + rng.normal(size=400), "name": names})
    model = Autoencoder("cvae", 2, epochs=1, **QUICK).fit(X, condition=told)
    codes = model.transform(X, condition=told)
    mixed = told[["name", "w", "u"]].assign(more=1.0)
    np.testing.assert_array_equal(model.transform(X, condition=mixed), codes)
    np.testing.assert_array_equal(model.transform(X, condition=told.to_numpy()), codes)
    unnamed = told.set_axis([0, 1, 2], axis=1)
    np.testing.assert_array_equal(model.transform(X, condition=unnamed), codes)
    with pytest.raises(DataError, match="no column 'w'"):
        model.transform(X, condition=told[["u", "name"]])
    with pytest.raises(DataError, match="condition u is missing"):
        model.transform(X, condition=told.assign(u=np.nan))


@pytest.mark.parametrize("unknown", [None, np.nan, -1])
def test_a_category_that_was_always_known_has_to_be(blobs, unknown):
    X, names, _ = blobs
    model = Autoencoder("cvae", 2, epochs=1, **QUICK).fit(X, condition=names)
    told = names.astype(object)
    told[3] = unknown
    with pytest.raises(DataError, match="give one of ant, bee, cow"):
        model.transform(X, condition=told)
