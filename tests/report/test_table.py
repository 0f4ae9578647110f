"""The table's numbers, its best values, and what it says of missing ones."""

from __future__ import annotations

import math

import pytest

from isthmus.evaluation import COLUMNS, MEASURES, Comparison, ModelResult
from isthmus.report.looks import choose_looks
from isthmus.report.table import MOST_COLUMNS, Table, best_of, build_table, build_tables
from isthmus.report.words import counted, fixed, listed, percent, uncertainty

BY_KEY = {c.key: c for entry in MEASURES for c in entry.about["columns"]}


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("r2", [0.5, 0.9, None, 0.7], {1}),
        ("rmse", [0.5, 0.9, None, 0.7], {0}),
        ("r2", [0.9001, 0.9004, 0.1], {0, 1}),
        ("elbo", [-90.0, -88.0], {1}),
        ("nll", [-2.0, -1.0], {0}),
        ("rate", [3.0, 4.0], set()),
        ("r2", [0.9, None], set()),
        ("bytes", [64.0, 64.0], set()),
        ("sample_auc", [0.47, 0.5, 0.8], {0, 1}),
        ("prior_auc", [0.103, 0.49, 0.6], {0, 1}),
        ("prior_mmd", [-0.02, 0.0, 0.1], {0, 1}),
        ("density", [2.1, 1.0, 0.7], {0, 1}),
        ("copies", [0.0, 0.008, 0.3], {0, 1}),
    ],
)
def test_the_best_is_the_best(key: str, values: list[float | None], expected: set[int]) -> None:
    assert best_of(BY_KEY[key], values) == expected


def table_of(comparison: Comparison) -> Table:
    main = [r for r in comparison.results if r.main]
    return build_table(main, choose_looks(comparison.results))


def test_every_bold_cell_holds_its_columns_extreme(images: Comparison) -> None:
    main = {r.label: r for r in images.results if r.main}
    table = table_of(images)
    rows = [row for _, rows in table.groups for row in rows]
    keys = [c.key for c in COLUMNS if any(c.key in r.metrics for r in main.values())]
    for i, key in enumerate(keys):
        column = BY_KEY[key]
        values = [r.metrics[key] for r in main.values() if key in r.metrics]
        if not column.better or len(set(values)) < 2:
            assert not any(row.cells[i].best for row in rows)
            continue
        top = max(values) if column.better > 0 else min(values)
        bold = [main[row.label].metrics[key] for row in rows if row.cells[i].best]
        assert bold == [pytest.approx(top, abs=10.0**-column.digits)]


def test_groups_and_footnotes(images: Comparison) -> None:
    table = table_of(images)
    assert [name for name, _ in table.groups] == ["Baselines", "Learned models"]
    assert [text for _, text in table.footnotes] == [
        "This baseline has no density.",
        "It has no prior to sample from.",
        "A plain autoencoder has no density.",
    ]
    missing = [c for _, rows in table.groups for row in rows for c in row.cells if c.value == "–"]
    assert missing
    assert {(c.letter, c.why) for c in missing} == set(table.footnotes)


def test_not_a_number_is_missing() -> None:
    results = [
        ModelResult("a", "a", "learned", 2, metrics={"r2": math.nan, "rmse": 1.0}),
        ModelResult("b", "b", "learned", 3, metrics={"r2": math.inf, "rmse": 2.0}),
    ]
    table = build_table(results, choose_looks(results))
    assert [h.title for h in table.headings] == ["error"]
    assert table.size is None


def test_numbers_in_words() -> None:
    assert fixed(-1234567.891, 1) == "−1,234,567.9"
    assert fixed(-0.0004, 3) == "0.000"
    assert uncertainty(0.0123, 3) == "±0.012"
    assert uncertainty(0.0004, 1) == "±0.0004"
    assert uncertainty(0.000038, 3) == "±0.00004"
    assert uncertainty(math.nan, 3) == uncertainty(0.0, 3) == ""
    assert (percent(0.584), percent(0.9963), percent(1.0)) == (
        "58\u00a0%",
        "99.6\u00a0%",
        "100\u00a0%",
    )
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (counted(1, "model"), counted(1200, "model")) == ("1 model", "1,200 models")


def test_each_model_has_its_own_look(images: Comparison) -> None:
    looks = choose_looks(images.results)
    assert len({(look.tone, look.shape) for look in looks.values()}) == len(looks) == 9
    many = [ModelResult(str(i), str(i), "learned", 2) for i in range(20)]
    assert len({(v.tone, v.shape) for v in choose_looks(many).values()}) == 20


def test_figures_of_other_headings_have_tables_of_their_own() -> None:
    found = ModelResult("vae", "vae", "learned", 4, metrics={"r2": 0.9, "mi": 3.21, "idle": 2.0})
    other = ModelResult("ae", "ae", "learned", 4, metrics={"r2": 0.8})
    results = [found, other]
    tables = build_tables(results, choose_looks(results))
    assert [name for name, _ in tables] == ["overview", "information"]
    information = tables[1][1]
    assert [h.title for h in information.headings] == ["I(x; z), at least", "idle"]
    cells = [[cell.value for cell in row.cells] for _, rows in information.groups for row in rows]
    assert cells == [["3.21", "2"], ["–", "–"]]


def test_a_table_too_wide_for_paper_goes_on_in_another() -> None:
    columns = [
        c for e in MEASURES for c in e.about["columns"] if e.about["table"] == "latent space"
    ]
    result = ModelResult("vae", "vae", "learned", 4, metrics={c.key: 0.5 for c in columns})
    tables = build_tables([result], choose_looks([result]))
    parts = [table for name, table in tables if name.startswith("latent space")]
    assert [h.title for table in parts for h in table.headings] == [
        c.title for c in dict.fromkeys(columns)
    ]
    assert max(len(table.headings) for table in parts) <= MOST_COLUMNS


def test_a_density_among_masses_is_marked_and_never_the_best() -> None:
    results = [
        ModelResult("pca", "pca", "baseline", 2, metrics={"nll": 1.0, "r2": 0.9}, is_mass=False),
        ModelResult("a", "a", "learned", 2, metrics={"nll": 90.0, "r2": 0.8}, is_mass=True),
        ModelResult("b", "b", "learned", 2, metrics={"nll": 91.0, "r2": 0.7}, is_mass=True),
    ]
    table = build_table(results, choose_looks(results))
    cells = {row.label: row.cells for _, rows in table.groups for row in rows}
    nll = [h.title for h in table.headings].index("NLL")
    assert (cells["pca"][nll].value, cells["pca"][nll].letter) == ("1.0", "a")
    assert [label for label, row in cells.items() if row[nll].best] == ["a"]
    assert [label for label, row in cells.items() if row[1 - nll].best] == ["pca"]
    ((letter, why),) = table.footnotes
    assert (letter, cells["pca"][nll].why) == ("a", why)
    assert "density" in why
