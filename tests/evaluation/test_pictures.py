"""What reports draw: strips, pairs, sliders and extremes, against the model asked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.data import Resident, Scaling
from isthmus.data.spec import Column, DataSpec
from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidate import Candidate
from isthmus.evaluation.candidates import classical, learned
from isthmus.evaluation.evaluate import names_of
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.strips import FURTHEST, crossed, pairs
from isthmus.evaluation.measures.tables import PICTURES
from isthmus.evaluation.subject import Question, Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import Run, Split
from isthmus.recipes import build_recipe
from isthmus.training import TrainingSettings

NAMES = [entry.name for entry in MEASURES if entry.about["table"] == PICTURES]
N, SIZE = 80, 6


def spec_of(kind: str) -> DataSpec:
    columns = tuple(Column(f"c{i}") for i in range(SIZE))
    classes = ("low", "high") if kind == "labelled" else ()
    return DataSpec("table", (SIZE,), "real", N, "made", columns, classes=classes)


def subject_of(kind: str = "table", recipe: str = "vae") -> Subject:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 3)) @ rng.normal(size=(3, SIZE))
    labels = (x[:, 0] > 0).astype(np.int64) if kind == "labelled" else None
    spec = spec_of(kind)
    question = Question(Units(spec), x, x, x, labels, labels, seed=0)
    return Subject(candidate(recipe, spec, x), question)


def candidate(recipe: str, spec: DataSpec, x: np.ndarray) -> Candidate:
    if recipe == "pca":
        source = Resident(torch.as_tensor(x, dtype=torch.float32), spec)
        scaling = Scaling(spec.shape, "none")
        return classical("pca", 3, source, scaling)
    torch.manual_seed(0)
    model = build_recipe(recipe, spec, latent_dim=3).model
    run = Run(model, spec, recipe, {}, TrainingSettings(), Split(), [], ())
    return learned(run, 2)


def arrays_of(subject: Subject) -> dict[str, np.ndarray]:
    return ask(subject, NAMES).arrays


@pytest.mark.parametrize("recipe", ["vae", "ae", "pca"])
def test_strips_are_what_the_model_decodes_along_one_number(recipe: str) -> None:
    subject = subject_of(recipe=recipe)
    found = arrays_of(subject)
    strips, rows = found["traversals"], found["traversal_rows"]
    assert strips.shape == (3, 7, SIZE)
    assert sorted(name for name, _ in rows) == ["z0", "z1", "z2"]
    if recipe == "pca":
        # A line in the code is a line in the data, as long, and the first moves them furthest.
        np.testing.assert_allclose(np.diff(strips, 2, axis=1), 0.0, atol=1e-4)
        ends = strips[:, -1] - strips[:, 0]
        in_spreads = np.square(ends / subject.question.spread).sum(1)
        assert (np.diff(in_spreads) <= 0).all()
        reach = np.square(ends).sum(1)
        j = int(rows[0][0][1:])
        low, high = np.quantile(subject.codes[:, j], (0.01, 0.99))
        assert reach[0] == pytest.approx((high - low) ** 2, rel=1e-4)
    if recipe == "vae":
        bits = [float(note.split()[0]) for _, note in rows]
        assert bits == sorted(bits, reverse=True)
        assert subject.density.rate_per_dimension is not None
        rates = subject.density.rate_per_dimension(subject.question.test) / np.log(2.0)
        np.testing.assert_allclose(bits, np.sort(rates)[::-1], atol=0.06)


def test_a_path_has_the_data_at_its_ends_and_their_codes_inside() -> None:
    subject = subject_of()
    strips = arrays_of(subject)["interpolations"]
    clean = subject.question.clean
    for i, strip in enumerate(strips):
        np.testing.assert_allclose(strip[[0, -1]], clean[[2 * i, 2 * i + 1]], rtol=1e-5)
        np.testing.assert_allclose(strip[[1, -2]], subject.rebuilt[[2 * i, 2 * i + 1]], atol=1e-4)


def test_pairs_have_different_labels_and_no_datum_twice() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 0, 0, 0])
    first, last = pairs(10, labels)
    assert (labels[first] != labels[last])[:3].all()
    assert len({*first, *last}) == 2 * len(first) == 8
    with pytest.raises(UnsupportedError, match="fewer than two"):
        pairs(1, None)


def test_a_slider_ends_beyond_the_label() -> None:
    subject = subject_of("labelled", "ae")
    found = arrays_of(subject)
    assert {name for name, _ in found["attribute_rows"]} == {"low", "high"}
    labels, codes = subject.question.test_labels, subject.codes
    assert labels is not None
    for strip, (name, note) in zip(found["attributes"], found["attribute_rows"], strict=True):
        member = labels == ("low", "high").index(name)
        way = codes[member].mean(0) - codes[~member].mean(0)
        others = np.flatnonzero(~member)
        start = [i for i in others[:2] if np.allclose(strip[0], subject.rebuilt[i], atol=1e-4)]
        assert len(start) == 1
        end = subject.candidate.decode((codes[start[0]] + FURTHEST * way)[None])[0]
        np.testing.assert_allclose(strip[-1], end, atol=1e-4)
        assert note.startswith("AUC ")


def test_a_table_without_labels_has_sliders_along_its_best_kept_columns() -> None:
    found = arrays_of(subject_of(recipe="ae"))
    assert len(found["attribute_rows"]) == 4
    assert all(name.startswith("c") for name, _ in found["attribute_rows"])
    assert all(note.startswith("R² ") for _, note in found["attribute_rows"])


@pytest.mark.parametrize(("recipe", "unit"), [("vae", "nats"), ("ae", "squared error")])
def test_extremes_are_the_ends_of_the_scores(recipe: str, unit: str) -> None:
    subject = subject_of(recipe=recipe)
    found = arrays_of(subject)
    scores, places = found["scores"], found["extreme_places"]
    assert found["score_unit"].tolist() == [unit]
    order = np.sort(scores)
    np.testing.assert_array_equal(scores[places], [*order[:6], *order[::-1][:6]])
    np.testing.assert_allclose(found["extremes"], subject.question.clean[places], rtol=1e-5)
    if recipe == "ae":
        clean = subject.question.clean
        error = ((subject.rebuilt - clean) / clean.std(0)) ** 2
        np.testing.assert_allclose(scores, error.sum(1), rtol=1e-4)


def test_draws_of_codes_and_prior_are_of_the_two_most_telling_dimensions() -> None:
    subject = subject_of()
    found = arrays_of(subject)
    told = subject.density.rate_per_dimension
    assert told is not None
    assert set(found["axes"]) <= {0, 1, 2}
    assert found["prior"].shape == (4000, 2)
    np.testing.assert_allclose(np.cov(found["prior"].T), np.eye(2), atol=0.1)
    # Of 80 data, six draws each.
    assert found["aggregate"].shape == (480, 2)
    means = subject.codes[:, found["axes"]].mean(0)
    np.testing.assert_allclose(found["aggregate"].mean(0), means, atol=0.3)


def test_what_has_no_density_has_no_map_of_the_prior() -> None:
    assert "aggregate" not in arrays_of(subject_of(recipe="ae"))


def test_a_linear_gaussian_model_has_its_own_map() -> None:
    """Its aggregate is the prior, in mean and covariance, where it was fitted to these data."""
    found = ask(subject_of(recipe="pca"), ["aggregate-pictures"]).arrays
    assert found["prior"].shape == (4000, 2)
    for draws in (found["prior"], found["aggregate"]):
        np.testing.assert_allclose(draws.mean(0), 0.0, atol=0.15)
        np.testing.assert_allclose(np.cov(draws.T), np.eye(2), atol=0.15)


def test_a_baseline_has_sliders_along_the_difference_of_means() -> None:
    subject = subject_of("labelled", "pca")
    found = ask(subject, ["attribute-pictures"]).arrays
    labels, codes = subject.question.test_labels, subject.codes
    assert labels is not None
    for strip, (name, note) in zip(found["attributes"], found["attribute_rows"], strict=True):
        member = labels == ("low", "high").index(name)
        way = codes[member].mean(0) - codes[~member].mean(0)
        gone = subject.candidate.decode(FURTHEST * way[None]) - subject.candidate.decode(
            np.zeros((1, 3))
        )
        np.testing.assert_allclose((strip[-1] - strip[0])[None], gone, atol=1e-4)
        assert note.startswith("AUC ")


def test_integers_are_swapped_and_crossed() -> None:
    subject = subject_of(recipe="fsq-vae")
    found = ask(subject, ["traversal-pictures", "interpolation-pictures"]).arrays
    model, x = subject.model, torch.as_tensor(subject.question.test, dtype=torch.float32)
    integers = model.encode(x, "argmax")
    assert all(name.startswith("code ") for name, _ in found["traversal_rows"])
    for strip, (name, note) in zip(found["traversals"], found["traversal_rows"], strict=True):
        place = integers.flatten(1)[:, int(name.split()[1])]
        values, counts = place.unique(return_counts=True)
        share = counts / counts.sum()
        entropy = float(-(share * share.log2()).sum())
        assert note == f"{entropy:.1f} bits"
        # The first picture holds the most frequent value in the code of a usual datum.
        usual = int((x - x.mean(0)).square().sum(1).argmin())
        swapped = integers[usual].clone().flatten()
        swapped[int(name.split()[1])] = values[counts.argmax()]
        again = model.decode(swapped.reshape(1, *integers.shape[1:]))[0]
        np.testing.assert_allclose(strip[0], again.numpy(), atol=1e-4)
    ends = found["interpolations"]
    np.testing.assert_allclose(ends[:, 1], subject.rebuilt[[0, 2, 4, 6]], atol=1e-4)
    np.testing.assert_allclose(ends[:, -2], subject.rebuilt[[1, 3, 5, 7]], atol=1e-4)


def test_a_crossing_takes_over_every_place_once() -> None:
    first, last = np.zeros((2, 5), int), np.ones((2, 5), int)
    way = crossed(first, last, 0)
    assert way.shape == (2, 7, 5)
    assert (way[:, 0] == 0).all()
    assert (way[:, -1] == 1).all()
    assert (np.diff(way, axis=1) >= 0).all()
    with pytest.raises(UnsupportedError, match="one integer"):
        crossed(first[:, :1], last[:, :1], 0)


def test_pictures_are_no_figures() -> None:
    assert not set(NAMES) & set(names_of(["all"]))
    assert ask(subject_of(), NAMES).values == {}
