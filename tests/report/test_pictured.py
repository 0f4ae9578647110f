"""Figures of the latent space and of samples, against numbers worked out beside them."""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from isthmus.data.spec import Column, DataSpec
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.report.contours import Relief
from isthmus.report.figure import Figure, Subject
from isthmus.report.films import attributes, interpolations, traversals
from isthmus.report.looks import choose_looks
from isthmus.report.outliers import outliers
from isthmus.report.pictures import framed
from isthmus.report.prior import prior_maps, say_inside
from isthmus.report.sampled import (
    bin_edges,
    column_histograms,
    correlation,
    correlations,
    count_bounds,
    count_ticks,
)
from isthmus.report.seeds import seed_spread
from isthmus.report.terms import change, terms

SQUARE = (-4.0, 4.0, -4.0, 4.0)


def made(
    arrays: dict[str, np.ndarray],
    kind: str = "table",
    shape: tuple[int, ...] = (3,),
    names: tuple[str, ...] = ("a", "b", "c"),
    results: list[ModelResult] | None = None,
) -> Subject:
    support = {"image": "unit", "counts": "count"}.get(kind, "real")
    spec = DataSpec(kind, shape, support, 99, "made", tuple(Column(n) for n in names))
    results = results or [ModelResult("vae", "vae", "learned", 2)]
    return Subject(Comparison(spec, results, [], {}, arrays=arrays), choose_looks(results), results)


def shown(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


@pytest.mark.parametrize(("share", "radius"), [(0.5, 1.1774), (0.9, 2.1460)])
def test_contours_of_a_normal_are_circles_of_known_radius(share: float, radius: float) -> None:
    draws = np.random.default_rng(0).normal(size=(40_000, 2))
    relief = Relief.of(draws, SQUARE)
    ends = np.array([end for piece in relief.lines(relief.level(share)) for end in piece])
    found = np.hypot(*ends.T)
    # Smoothing widens a normal by (2 cells of 8/48)^2, and single bins have noise.
    wider = radius * math.sqrt(1 + (2 * 8 / 48) ** 2)
    assert found.mean() == pytest.approx(wider, rel=0.02)
    assert found.std() < 0.1
    turned = np.sort(np.arctan2(ends[:, 1], ends[:, 0]))
    assert np.diff(turned).max() < 0.5  # It goes all the way around.


def test_codes_outside_of_the_prior_are_counted_and_told() -> None:
    rng = np.random.default_rng(0)
    prior = rng.normal(size=(4000, 2))
    arrays = {
        "aggregate/vae": 2.0 * rng.normal(size=(3000, 2)),
        "prior/vae": prior,
        "axes/vae": np.array([4, 1]),
    }
    figure = shown(prior_maps(made(arrays)))
    share = float(figure.panels[0].note.split("\u00a0")[0]) / 100
    # Of draws of twice the width, as many lie within the widened 90 % circle.
    inside = stats.chi2.cdf((2.146 * math.sqrt(1 + (2 * 0.22) ** 2) / 2) ** 2, 2)
    assert share == pytest.approx(inside, abs=0.06)
    assert "vae puts data where the prior hardly draws" in figure.shows
    assert "z4 →" in figure.panels[0].pictures[0]
    assert "↑ z1" in figure.panels[0].pictures[0]
    assert "about what the prior expects" in say_inside({"a": 0.88, "b": 0.93})
    assert "a and b use less room" in say_inside({"a": 0.99, "b": 1.0})


def test_strips_of_images_are_drawn_as_they_are_and_the_strongest_is_named() -> None:
    strips = np.zeros((2, 3, 1, 4, 4))
    strips[0, :, 0, 1, 2] = [0, 0.5, 1]
    strips[1, :, 0, 0, 0] = [0, 0.25, 0.5]
    rows = np.array([("z7", "2.0 bits"), ("z1", "0.4 bits")])
    subject = made(
        {"traversals/vae": strips, "traversal_rows/vae": rows}, "image", (1, 4, 4), names=()
    )
    figure = shown(traversals(subject))
    # 1 of 1 + 0.25.
    assert figure.shows == "Of the strips shown, z7 changes most: 80\u00a0% of all their change."
    first = str(figure.panels[0].pictures[0])
    assert "z7<small>2.0 bits</small>" in first
    page = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(re.findall('base64,([^"]*)', first)[0])))
    )
    assert page[..., 0].max(axis=0).tolist() == [0] * 7 + [128] + [0] * 4 + [255, 0]


def test_the_data_at_the_ends_of_a_path_stand_apart() -> None:
    images = np.full((5, 4, 4, 4), 255, np.uint8)
    page = framed(images)
    assert page.shape == (4, 4 + 2 + (3 * 4 + 2) + 2 + 4, 4)
    assert (page[:, 4:6, 3] == 0).all()
    assert (page[:, -6:-4, 3] == 0).all()


def test_the_largest_step_of_a_path() -> None:
    # Steps of 1, 1 and 2 between the ends, which are the data.
    values = np.array([9.0, 0, 1, 2, 4, 9])[None, :, None] * np.ones(3)
    figure = shown(interpolations(made({"interpolations/vae": values})))
    assert figure.shows == "vae's largest step makes 50\u00a0% of its way on average."


def test_strips_of_columns_have_a_row_for_each_and_deviations_in_colour() -> None:
    originals = np.stack([np.arange(-10, 11), np.full(21, 5), np.arange(21)], 1).astype(float)
    spread = originals[:, 0].std()
    strip = np.array([[-2 * spread, 5, 10], [0, 5, 10], [1 * spread, 5, 10]])[None]
    rows = np.array([("a", "R² 0.50")])
    subject = made({"originals": originals, "attributes/vae": strip, "attribute_rows/vae": rows})
    figure = shown(attributes(subject))
    drawn = str(figure.panels[0].pictures[0])
    assert re.findall(r'class="(above|below) (l\d)"', drawn) == [("below", "l8"), ("above", "l4")]
    assert figure.shows == "“a” lies straightest in vae's code (R² 0.50)."
    assert figure.heading == "Sliders for columns"


def test_top_words_are_those_that_change_most_for_their_frequency() -> None:
    strip = np.array([[1.0, 0.0, 9.0], [1, 1, 9], [1, 4, 1]])
    np.testing.assert_allclose(change(strip), [0.0, 2.0, -8 / math.sqrt(10)])
    np.testing.assert_allclose(change(np.array([[-5.0], [4.0]])), [2.0])
    arrays = {"traversals/vae": strip[None], "traversal_rows/vae": np.array([("z3", "1.0 bits")])}
    subject = made(arrays, "counts", names=("the", "god", "disk"))
    figure = shown(terms(subject))
    words = re.sub("<[^>]*>", "", str(figure.panels[0].pictures[0]))
    assert words == "z3 1.0 bits↑ god↓ disk"
    assert figure.shows == (
        "The strongest change is of “disk” along vae's z3: from 9.00 to 1.00 expected in a datum."
    )
    assert traversals(subject) is None


def test_outliers_show_their_score_and_what_was_rebuilt_worst() -> None:
    data = np.array([[1.0, 2, 1547], [1, 2, 30]])
    arrays = {
        "originals": np.random.default_rng(0).normal(size=(50, 3)),
        "scores/vae": np.array([5.0, 1.0, 250.4, 6.0]),
        "score_unit/vae": np.array(["nats"]),
        "extreme_places/vae": np.array([1, 2]),
        "extremes/vae": data,
        "extremes_rebuilt/vae": np.array([[1.0, 2, -12345.6], [1, 2.5, 4]]),
    }
    figure = shown(outliers(made(arrays)))
    words = re.sub("<[^>]*>", "|", str(figure.panels[0].pictures[0]))
    assert "250 |highest, number 2|" in words
    assert words.index("c |30| |rebuilt 4|") < words.index("b |2| |rebuilt 2.5|")
    assert "1.0 |lowest, number 1|" in words
    assert "c |1,547| |rebuilt −12,346|" in words
    assert figure.shows.startswith("vae gives its most unusual datum 250.4 nats, where half")
    assert "below 5.5" in figure.shows


def test_bins_hold_few_values_apart_and_counts_by_ranges() -> None:
    edges = bin_edges(np.array([0.0, 1, 1, 3]), [])
    np.testing.assert_allclose(edges, [-0.5, 0.5, 2.0, 3.5])
    many = bin_edges(np.linspace(0, 1, 400), [np.linspace(0, 2, 400)])
    assert len(many) == 19
    assert len(bin_edges(np.linspace(0, 1, 20), [])) == 7
    bounds = count_bounds(np.array([0.0, 3, 20]))
    assert bounds.tolist() == [0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 32.5]
    assert count_ticks(bounds) == ["0", "1", "2", "3–4", "5–8", "9–16", "17–32", "33+"]


def test_the_histograms_gap_is_the_total_variation() -> None:
    real = np.repeat([[0.0], [1.0]], [30, 10], axis=0)
    fake = np.repeat([[0.0], [1.0]], [10, 30], axis=0)
    subject = made({"originals": real, "samples/vae": fake}, shape=(1,), names=("a",))
    figure = shown(column_histograms(subject))
    assert figure.shows.startswith("In vae's samples 50 % of a column's values")
    assert correlations(subject) is None


def test_correlations_are_pearsons_and_their_differences_are_told() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    np.testing.assert_allclose(correlation(x), np.corrcoef(x.T))
    fake = rng.permuted(x, axis=0)
    figure = shown(correlations(made({"originals": x, "samples/vae": fake})))
    off = np.corrcoef(fake.T) - np.corrcoef(x.T)
    mean = np.abs(off[np.triu_indices(3, 1)]).mean()
    assert f"off by {mean:.2f} on average" in figure.shows
    i, j = np.unravel_index(np.abs(np.triu(off, 1)).argmax(), (3, 3))
    assert f"most for {'abc'[i]} and {'abc'[j]}" in figure.shows


def test_seeds_are_drawn_one_by_one_with_their_interval() -> None:
    results = [
        ModelResult(
            name, name, "learned", 2, metrics={"r2": m}, errors={"r2": 0.05}, seeds={"r2": seeds}
        )
        for name, m, seeds in [("ae", 0.8, [0.75, 0.85]), ("vae", 0.7, [0.69, 0.71])]
    ]
    figure = shown(seed_spread(made({}, results=results)))
    assert "R² differs most for ae, by 0.100" in figure.shows
    assert "least for vae, by 0.020" in figure.shows
    drawn = str(figure.panels[0].pictures[0])
    assert drawn.count("<title>") == 4
    assert drawn.count('class="interval') == 2
    for result in results:
        result.seeds = {"r2": [0.7]}
    assert seed_spread(made({}, results=results)) is None
