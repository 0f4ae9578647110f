"""What figures say and draw, against numbers worked out beside them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from isthmus.data.spec import DataSpec
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.report.columns import column_r2, parity, say_columns, say_parity
from isthmus.report.examples import (
    affordable,
    image_reconstructions,
    image_samples,
    say_samples,
)
from isthmus.report.figure import Subject
from isthmus.report.latent import (
    best_step,
    information,
    latent_maps,
    neighbour_agreement,
    say_training,
    training_curves,
)
from isthmus.report.looks import choose_looks
from isthmus.report.sizes import code_size, r2_by_size, rate_distortion, say_sizes


def subject_of(comparison: Comparison) -> Subject:
    main = [r for r in comparison.results if r.main]
    return Subject(comparison, choose_looks(comparison.results), main)


def two(metrics: list[dict[str, float]]) -> Subject:
    results = [
        ModelResult(name, name, family, z, z == 4, metrics=values)
        for (name, family, z), values in zip(
            [
                ("pca", "baseline", 2),
                ("pca", "baseline", 4),
                ("ae", "learned", 2),
                ("ae", "learned", 4),
            ],
            metrics,
            strict=True,
        )
    ]
    return subject_of(Comparison(DataSpec("table", (9,), "real", 99), results, [], {}))


def test_code_size_says_what_the_numbers_say() -> None:
    subject = two([{"r2": 0.28}, {"r2": 0.82}, {"r2": 0.584}, {"r2": 0.85}])
    series = r2_by_size(subject)
    assert series == {"pca": {2: 0.28, 4: 0.82}, "ae": {2: 0.584, 4: 0.85}}
    assert say_sizes(series, subject.looks).replace("\u00a0", " ") == (
        "With 2 numbers a datum, ae keeps 58 % of the variance and pca 28 %. "
        "Of the sizes tried, ae takes 4 numbers to keep 80 % and pca 4."
    )
    figure = code_size(subject)
    assert figure is not None
    assert "ae, 2 numbers: R² 0.584" in figure.panels[0].pictures[0]


def test_code_size_puts_known_data_on_known_pixels() -> None:
    figure = code_size(two([{"r2": 0.0}, {"r2": 1.0}, {"r2": 0.5}, {"r2": 1.0}]))
    assert figure is not None
    wide = figure.panels[0].pictures[0]
    # 760 by 400: the plot reaches from 44 to 760 - 22 - 3 letters of 6.3, and from 362 up to 26.
    assert '<polyline points="44,362 719.1,26" class="line b0"/>' in wide
    assert '<polyline points="44,194 719.1,26" class="line s0"/>' in wide


def test_one_size_makes_no_chart(minimal: Comparison) -> None:
    assert code_size(subject_of(minimal)) is None
    assert rate_distortion(subject_of(minimal)) is None


def test_rate_distortion_names_the_lowest_sum(images: Comparison) -> None:
    figure = rate_distortion(subject_of(images))
    assert figure is not None
    # vae 34 + 96 = 130, beta-vae 25 + 103 = 128, sigma-vae 16 + 124 = 140.
    assert figure.shows.startswith("beta-vae has the lowest sum: 25.0 bits of code and 103.0")
    assert "sigma-vae spends the fewest bits on the code (16.0)" in figure.shows
    assert "vae leaves the fewest to say (96.0)" in figure.shows
    assert (
        "vae: rate 34.0 bits, distortion 96.0 bits, sum 130.0 bits" in figure.panels[0].pictures[0]
    )


def test_reconstructions_name_the_least_mean_error(images: Comparison) -> None:
    figure = image_reconstructions(subject_of(images))
    assert figure is not None
    truth = images.arrays["originals"][:12]
    error = {
        key.split("/")[1]: np.abs(value[:12] - truth).mean()
        for key, value in images.arrays.items()
        if key.startswith("reconstructions/")
    }
    best, worst = min(error, key=error.__getitem__), max(error, key=error.__getitem__)
    assert f"{best} errs least, by {error[best]:.3f}" in figure.shows
    assert f"{worst} most, by {error[worst]:.3f}" in figure.shows
    assert len(figure.panels) == 10


def test_samples_follow_the_auc(images: Comparison) -> None:
    figure = image_samples(subject_of(images))
    assert figure is not None
    assert "vae's samples from held-out data with an AUC of 0.710, the least of 3" in figure.shows
    assert [panel.caption for panel in figure.panels[1:]] == ["vae", "beta-vae", "sigma-vae"]


def test_pictures_stay_within_their_budget() -> None:
    assert affordable(np.zeros((1, 3, 64, 64)), 9, 12) == 8
    assert affordable(np.zeros((1, 1, 8, 8)), 9, 12) == 12


def test_neighbours_agree_as_scikit_learn_says(images: Comparison) -> None:
    codes = images.arrays["codes/vae"]
    labels = images.arrays["labels"]
    model = KNeighborsClassifier(2).fit(codes, labels)
    neighbour = model.kneighbors(codes, return_distance=False)[:, 1]
    expected = (labels[neighbour] == labels).mean()
    assert neighbour_agreement(codes, labels) == pytest.approx(expected)


def test_maps_are_thinned() -> None:
    spec = DataSpec("table", (4,), "real", 5000, classes=("a", "b"))
    rng = np.random.default_rng(0)
    arrays = {"codes/ae": rng.normal(size=(5000, 2)), "labels": rng.integers(0, 2, 5000)}
    comparison = Comparison(spec, [ModelResult("ae", "ae", "learned", 2)], [], {}, arrays=arrays)
    figure = latent_maps(subject_of(comparison))
    assert figure is not None
    drawn = figure.panels[0].pictures[0]
    assert drawn.count("h0") == 800
    assert [words for _, words in figure.legend] == ["a", "b"]


def test_information_counts_dimensions_and_bits(images: Comparison) -> None:
    figure = information(subject_of(images))
    assert figure is not None
    rates = images.arrays["rates/vae"]
    assert f"vae {(rates > 0.1).sum()} of 16 ({rates.sum():.1f} bits in all)" in figure.shows


def test_training_says_where_the_loss_was_lowest() -> None:
    steps = np.arange(0.0, 1001.0, 100.0)
    held = np.abs(steps - 300) / 100 + 50
    history = np.stack([steps, held - 1, np.where(steps % 300 == 0, held, np.nan)], 1)
    best = best_step(history)
    assert best is not None
    assert best[0] == 3
    spec = DataSpec("table", (4,), "real", 50)
    result = ModelResult("ae", "ae", "learned", 2)
    figure = training_curves(
        subject_of(Comparison(spec, [result], [], {}, arrays={"history/ae": history}))
    )
    assert figure is not None
    assert "ae's at step 300, and rose by 6.00 nats after" in figure.shows
    assert "step 300: held-out loss 50.00 nats" in figure.panels[0].pictures[0]
    assert figure.shows.startswith("The held-out loss was lowest before the end for: ae's")


def test_a_rise_of_nothing_is_the_end() -> None:
    history = np.array([[0, 9, 9.0], [50, 5, 5.0], [100, 5, 5.004]])
    said = say_training({"ae": history})
    assert said == "The held-out loss was lowest at or near the end for ae."


def test_the_weights_that_were_kept_are_drawn_within_the_axes() -> None:
    """The lowest loss is the very first, where curves are not scaled to fit."""
    held = np.concatenate([[50.0], np.linspace(60, 61, 40)])
    history = np.stack([np.arange(41.0), held + 1, held], 1)
    spec = DataSpec("table", (4,), "real", 50)
    figure = training_curves(
        subject_of(
            Comparison(
                spec,
                [ModelResult("ae", "ae", "learned", 2)],
                [],
                {},
                arrays={"history/ae": history},
            )
        )
    )
    assert figure is not None
    drawn = str(figure.panels[0].pictures[0])
    ring = re.search(r'<circle cx="[\d.]+" cy="([\d.]+)" r="4" class="ring', drawn)
    axis = max(float(y) for y in re.findall(r'y2="([\d.]+)"', drawn))
    assert ring is not None
    assert float(ring[1]) < axis


def test_columns_have_their_r2(table: Comparison) -> None:
    subject = subject_of(table)
    figure = column_r2(subject)
    assert figure is not None
    x = table.arrays["originals"].astype(float)
    y = table.arrays["reconstructions/pca"]
    r2 = 1 - ((x[:, 3] - y[:, 3]) ** 2).mean() / x[:, 3].var()
    assert f"pca, measure 3: R² {r2:.3f}" in figure.panels[0].pictures[0]
    assert "first 12 of 18 columns" in figure.read


def test_of_one_model_no_mean_is_told() -> None:
    said = say_columns({"vae": np.array([0.9, 0.4])}, ["a", "b"])
    assert said == "a is kept best, with an R² of 0.90, and b worst, with 0.40."
    both = say_columns({"vae": np.array([0.9, 0.4]), "ae": np.array([0.7, 0.2])}, ["a", "b"])
    assert both == (
        "a is kept best, with a mean R² of 0.80 over the models, and b worst, with 0.30."
    )


def test_parity_is_in_standard_deviations(table: Comparison) -> None:
    figure = parity(subject_of(table))
    assert figure is not None
    x = table.arrays["originals"].astype(float)[:, :12]
    y = table.arrays["reconstructions/pca"][:, :12]
    off = np.sqrt((((x - y) / x.std(0)) ** 2).mean())
    assert figure.panels[0].note == f"off by {off:.2f}"
    assert len(re.findall("h0", figure.panels[0].pictures[0])) == 800


def test_counts_show_their_largest_columns(counts: Comparison) -> None:
    figure = parity(subject_of(counts))
    assert figure is not None
    assert "12 of 40 columns that hold the most counts" in figure.read
    assert "log(1 + count)" in figure.shows


def test_models_that_are_equally_far_off_have_no_nearest():
    assert say_parity({"a": 1.041, "b": 1.042}, "units") == (
        "All are off by 1.04 units (root mean square)."
    )
    assert "a comes nearest" in say_parity({"a": 1.0, "b": 2.0}, "units")


def test_samples_that_are_told_from_data_alike_have_no_nearest(images: Comparison) -> None:
    results = [
        replace(r, metrics=r.metrics | {"sample_auc": 0.9999 - 1e-5 * i})
        for i, r in enumerate(images.results)
        if r.main
    ]
    subject = Subject(replace(images, results=results), {}, results)
    said = say_samples(subject, ["vae", "ae"])
    assert "samples of all 2 models" in said
    assert "1.000" in said
