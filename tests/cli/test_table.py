from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from isthmus.cli.table import best, cell, fitting, print_comparison
from isthmus.data import DataSpec
from isthmus.evaluation import COLUMNS, Comparison, Finding, ModelResult
from isthmus.evaluation.pairs import Pair

BY_KEY = {column.key: column for column in COLUMNS}
PCA = ModelResult(
    "pca", "pca", "baseline", 8,
    metrics={"r2": 0.812, "rmse": 2.5, "seconds": 0.04, "parameters": 1234567, "bytes": 32},
    errors={"r2": 0.0041},
)  # fmt: skip
VAE = ModelResult(
    "vae", "vae", "learned", 8,
    metrics={"r2": 0.8123, "nll": 90.04, "rate": 12.0, "active": 5, "seconds": 9, "bytes": 32},
    errors={"r2": 0.01, "nll": math.nan},
)  # fmt: skip
SMALL = ModelResult("pca", "pca", "baseline", 2, main=False, metrics={"r2": 0.4})


def printed(width, *results, findings=(), pairs=()):
    comparison = Comparison(
        DataSpec("table", (4,), "real", 9),
        list(results),
        list(findings),
        {"seeds": "1"},
        pairs=list(pairs),
    )
    file = io.StringIO()
    print_comparison(comparison, Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize(
    ("result", "key", "text"),
    [
        (PCA, "r2", "0.812 ±0.004"),
        (PCA, "nll", "–"),
        (PCA, "parameters", "1,234,567"),
        (VAE, "nll", "90.0"),
        (VAE, "active", "5"),
    ],
)
def test_cells(result, key, text):
    assert cell(result, BY_KEY[key]) == text


def test_the_best_is_judged_by_what_is_shown():
    assert best([PCA, VAE], BY_KEY["r2"]) is None  # 0.812 both
    assert best([PCA, VAE], BY_KEY["seconds"]) == 0.0
    assert best([PCA, VAE], BY_KEY["bytes"]) is None
    assert best([PCA, VAE], BY_KEY["rate"]) is None
    lucky = [ModelResult(f"m{a}", "m", "learned", 2, metrics={"sample_auc": a}) for a in (0.4, 0.6)]
    assert best(lucky, BY_KEY["sample_auc"]) == 0.5


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(width):
    text = printed(width, PCA, VAE, SMALL, findings=[Finding("compress", "vae", "so " * 60)])
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "0.812" in text


def test_narrow_tables_keep_what_matters_and_say_what_they_left_out():
    kept = [c.key for c in fitting(COLUMNS, [PCA, VAE], 45)]
    assert kept[:2] == ["r2", "nll"]
    assert "bytes" not in kept
    narrow, wide = printed(45, PCA, VAE), printed(200, PCA, VAE)
    assert "No room here for" in narrow
    assert "±" in wide
    assert "No room" not in wide


def test_the_best_has_a_star_where_there_is_no_bold():
    assert "0.0*" in printed(200, PCA, VAE)


def test_code_sizes_and_findings():
    text = printed(80, PCA, VAE, SMALL, findings=[Finding("compress", "", "Take PCA.", True)])
    assert "R² by code size" in text
    (row,) = [line.split() for line in text.splitlines() if line.split()[1:] == ["0.400", "0.812"]]
    assert row[0] == "pca"
    assert "compress (within the noise)\n  Take PCA." in text


def test_the_winner_stands_against_the_next():
    pairs = [
        Pair("r2", "vae", "pca", 1.234, 0.056, 0.0001),
        Pair("nll", "vae", "pca", 0.31, 0.4, 0.44),
    ]
    text = printed(80, PCA, VAE, pairs=pairs)
    assert "reconstruction: vae before pca by 1.234 ± 0.056 squared error (p < 0.001)" in text
    assert "likelihood: vae before pca by 0.31 ± 0.40 nats (p = 0.440, within noise)" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "the next" not in printed(80, PCA, VAE)


def test_what_must_not_be_compared_is_marked_and_wins_nothing():
    density = ModelResult(
        "pca", "pca", "baseline", 4, metrics={"r2": 0.9, "nll": 10.0}, is_mass=False
    )
    told = ModelResult(
        "cvae", "cvae", "learned", 4, metrics={"nll": 5.0}, is_mass=True, given=["label"]
    )
    masses = [
        ModelResult(f"m{i}", f"m{i}", "learned", 4, metrics={"nll": 90.0 + i}, is_mass=True)
        for i in range(2)
    ]
    text = printed(80, density, told, *masses)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    assert rows["pca"][-1] == "10.0†"
    assert rows["cvae"][-1] == "5.0‡"
    assert rows["m0"][-1] == "90.0*"
    assert rows["m1"][-1] == "91.0"
    assert "† This is of a density" in text
    assert "‡ It is told label of each datum" in text
    assert max(map(len, text.splitlines())) <= 80


def test_two_that_are_the_same_are_said_to_be():
    text = printed(80, PCA, VAE, pairs=[Pair("r2", "pca", "vae", 0.0, 0.0, 1.0)])
    assert "reconstruction: pca and vae are the same datum by datum" in text
