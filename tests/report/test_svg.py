"""Known data land on known pixels."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.report import svg


def test_a_scale_maps_its_ends_and_its_middle() -> None:
    scale = svg.Scale(-1.0, 3.0, 100.0, 20.0)
    assert [scale(v) for v in (-1.0, 1.0, 3.0)] == [100.0, 60.0, 20.0]


def test_a_logarithmic_scale_gives_equal_ratios_equal_lengths() -> None:
    scale = svg.Scale(2, 16, 0.0, 300.0, log=True)
    assert [scale(v) for v in (2, 4, 8, 16)] == pytest.approx([0.0, 100.0, 200.0, 300.0])


def test_a_scale_without_extent_puts_everything_in_the_middle() -> None:
    assert svg.Scale(5.0, 5.0, 0.0, 10.0)(5.0) == 5.0


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0.0, 1.0, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.0, 7.0, 5, [-2, 0, 2, 4, 6]),
        (93.0, 131.0, 4, [100, 110, 120, 130]),
        (2.0, 2.0, 4, [2]),
    ],
)
def test_ticks_are_round(low: float, high: float, count: int, expected: list[float]) -> None:
    assert svg.round_ticks(low, high, count) == pytest.approx(expected)


def test_a_marker_stands_at_its_pixel_with_an_escaped_tooltip() -> None:
    plot = svg.Frame(100, 50, svg.Scale(0, 10, 0, 100), svg.Scale(0, 1, 50, 0))
    drawn = svg.marker(*plot.at(2.5, 0.5), "circle", "mark s0", "a < b")
    assert drawn == (
        '<circle cx="25" cy="25" r="4" class="mark s0"><title>a &lt; b</title></circle>'
    )


def test_a_cloud_is_one_path() -> None:
    assert svg.cloud([(1.04, 2), (3.26, -0.01)], "cloud") == (
        '<path d="M1 2h0M3.3 0h0" class="cloud"/>'
    )


def test_spread_labels_keep_their_order_and_their_distance() -> None:
    wanted = [50.0, 51.0, 10.0, 52.0, 98.0]
    placed = svg.spread(wanted, 13.0, 0.0, 100.0)
    assert sorted(range(5), key=lambda i: placed[i]) == sorted(range(5), key=lambda i: wanted[i])
    assert np.diff(sorted(placed)).min() >= 13.0
    assert min(placed) >= 0
    assert max(placed) <= 100
    assert placed[2] == 10.0


def test_a_label_stands_clear_of_a_line_through_its_point() -> None:
    plot = svg.frame((400, 300), (0, 1), (0, 1))
    line = [plot.at(0.1, 0.6), plot.at(0.5, 0.5), plot.at(0.9, 0.45)]
    words = ["beta 0.3"] * 3
    width = svg.CHARACTER * len(words[0])
    for (at, anchor), point in zip(svg.label_beside(line, words, plot, [line]), line, strict=True):
        left = at[0] - {"start": 0, "middle": width / 2, "end": width}[anchor]
        x = np.linspace(left, left + width, 200)
        x = x[(x >= line[0][0]) & (x <= line[-1][0])]
        y = np.interp(x, *np.array(line).T)
        assert not ((at[1] - 9 < y) & (y < at[1] + 2)).any(), point


def test_labels_beside_points_do_not_overlap() -> None:
    plot = svg.frame((400, 300), (0, 1), (0, 1))
    points = [plot.at(0.5, 0.5), plot.at(0.52, 0.5), plot.at(0.98, 0.5)]
    words = ["first", "second", "at the edge"]
    boxes = []
    for (at, anchor), word in zip(svg.label_beside(points, words, plot), words, strict=True):
        width = svg.CHARACTER * len(word)
        left = at[0] - {"start": 0, "middle": width / 2, "end": width}[anchor]
        boxes.append((left, left + width, at[1] - 10, at[1] + 3))
    for i, a in enumerate(boxes):
        assert a[1] <= plot.width
        for b in boxes[:i]:
            assert min(a[1], b[1]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[2], b[2])
