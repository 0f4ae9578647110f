"""The document: whole, self-contained, escaped, and the same for one run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from isthmus.data.reading import Reading
from isthmus.data.spec import DataSpec
from isthmus.evaluation.results import Comparison, Finding, ModelResult
from isthmus.fitting import Run, Split
from isthmus.recipes import build_recipe
from isthmus.report import render, run_report, write_report
from isthmus.report.single import history_array
from isthmus.training import TrainingSettings

VOID = {"meta", "link", "img", "br", "hr", "input"}
ALL = ("images", "table", "counts", "minimal")
HOSTILE = '<script>alert("x")</script>'


class Tag(NamedTuple):
    name: str
    attributes: dict[str, str | None]


class Outline(HTMLParser):
    """Every start tag and all text; an end tag that closes nothing is an error."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, *names: str) -> list[Tag]:
        return [tag for tag in self.tags if tag.name in names]


@pytest.fixture(params=ALL)
def comparison(request: pytest.FixtureRequest) -> Comparison:
    return request.getfixturevalue(request.param)


def test_the_document_is_well_formed(comparison: Comparison) -> None:
    document = render(comparison)
    assert document.startswith("<!doctype html>")
    outline = Outline(document)
    assert outline.open == []
    ids = [tag.attributes["id"] for tag in outline.tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    anchors = {tag.attributes["href"] for tag in outline.named("a")}
    assert anchors <= {f"#{i}" for i in ids}
    for name in ("html", "head", "body", "main", "h1"):
        assert len(outline.named(name)) == 1


def test_nothing_is_loaded(comparison: Comparison) -> None:
    document = render(comparison)
    outline = Outline(document)
    assert outline.named("script", "iframe", "object", "embed", "base") == []
    for tag in outline.tags:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = tag.attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag.name, value)
        assert not any(name.startswith("on") for name in tag.attributes)
    assert not re.search(r"https?://", document)
    assert "@import" not in document
    assert re.findall(r"url\((?!#)", document) == []


def test_every_picture_has_words(comparison: Comparison) -> None:
    outline = Outline(render(comparison))
    for tag in outline.named("img"):
        assert tag.attributes["alt"]
    for tag in outline.named("svg"):
        assert tag.attributes.get("aria-label") or tag.attributes.get("aria-hidden") == "true"


def test_the_order_is_verdict_table_figures_protocol(images: Comparison) -> None:
    sections = [tag.attributes["id"] for tag in Outline(render(images)).named("section")]
    assert sections == [
        "verdict",
        "figures",
        "code-size",
        "reconstructions",
        "samples",
        "latent-map",
        "prior",
        "information",
        "channels",
        "traversals",
        "interpolations",
        "attributes",
        "outliers",
        "rate-distortion",
        "seeds",
        "training",
        "protocol",
    ]


def test_figures_without_arrays_are_left_out(minimal: Comparison, table: Comparison) -> None:
    sections = [tag.attributes["id"] for tag in Outline(render(minimal)).named("section")]
    assert sections == ["figures", "protocol"]
    sections = [tag.attributes["id"] for tag in Outline(render(table)).named("section")]
    assert sections[3:8] == ["reconstructions", "columns", "samples", "histograms", "correlations"]


def test_counts_have_words_in_place_of_strips(counts: Comparison) -> None:
    sections = [tag.attributes["id"] for tag in Outline(render(counts)).named("section")]
    assert "words" in sections
    assert "traversals" not in sections


def test_no_models_at_all() -> None:
    empty = Comparison(DataSpec("table", (4,), "real", 9), [], [], {})
    assert "0 models" in render(empty)


def test_the_findings_come_with_their_words(images: Comparison) -> None:
    words = "".join(Outline(render(images)).words)
    for finding in images.findings:
        assert finding.text in words
    doubts = [said.within_noise for said in (*images.findings, *images.pairs)]
    assert words.count("within noise") == sum(doubts)
    assert "No clear winner" in words
    assert "isthmus compare blobs --latent-dim 16" in words


def test_every_figure_says_how_to_read_it_and_what_it_shows(images: Comparison) -> None:
    document = render(images)
    figures = document.count('<section id="') - 3
    assert document.count('<p class="shows">') == figures
    assert document.count('<p class="read">') == figures + 1


def test_strings_of_users_are_escaped() -> None:
    spec = DataSpec("table", (2,), "real", 9, HOSTILE, classes=(HOSTILE, "b"))
    results = [
        ModelResult(HOSTILE, HOSTILE, family, z, metrics={"r2": 0.5 + z / 20}, notes=[HOSTILE])
        for z in (2, 4)
        for family in ("learned",)
    ]
    results[0].why_missing["nll"] = HOSTILE
    results[1].metrics["nll"] = 3.0
    arrays = {
        f"codes/{HOSTILE}": np.random.default_rng(0).normal(size=(30, 2)),
        "labels": np.arange(30) % 2,
    }
    hostile = Comparison(
        spec,
        results,
        [Finding(HOSTILE, HOSTILE, HOSTILE)],
        {HOSTILE: HOSTILE},
        [HOSTILE],
        arrays,
        {HOSTILE: HOSTILE},
    )
    document = render(hostile)
    assert "<script" not in document
    assert Outline(document).named("script") == []
    assert document.count("&lt;script&gt;alert(") > 12


@pytest.mark.parametrize("side", [8, 64])
def test_the_file_is_small_and_written_whole(side: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spec = DataSpec("image", (3, side, side), "unit", 500, "noise", classes=("a", "b"))
    results = [ModelResult(str(i), str(i), "learned", 8, metrics={"r2": i / 10}) for i in range(9)]
    arrays = {"originals": rng.random((24, 3, side, side)), "labels": np.arange(2000) % 2}
    for i in range(9):
        arrays[f"reconstructions/{i}"] = rng.random((24, 3, side, side))
        arrays[f"samples/{i}"] = rng.random((64, 3, side, side))
        arrays[f"codes/{i}"] = rng.normal(size=(2000, 2))
        arrays[f"history/{i}"] = rng.normal(size=(2000, 3))
        for kind in ("traversals", "interpolations", "attributes"):
            arrays[f"{kind}/{i}"] = rng.random((6, 7, 3, side, side))
        arrays[f"traversal_rows/{i}"] = np.array([("z1", "1.0 bits")] * 6)
        arrays[f"attribute_rows/{i}"] = np.array([("a", "AUC 0.90")] * 6)
        arrays[f"scores/{i}"] = rng.random(900)
        arrays[f"score_unit/{i}"] = np.array(["nats"])
        arrays[f"extreme_places/{i}"] = np.arange(12)
        for kind in ("extremes", "extremes_rebuilt"):
            arrays[f"{kind}/{i}"] = rng.random((12, 3, side, side))
    comparison = Comparison(spec, results, [], {}, arrays=arrays)
    path = write_report(comparison, tmp_path / "new" / "report.html")
    assert path == tmp_path / "new" / "report.html"
    assert 10_000 < path.stat().st_size < 5_000_000
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_comparison_read_back_gives_the_same_report(images: Comparison, tmp_path: Path) -> None:
    images.write(tmp_path)
    assert render(Comparison.read(tmp_path)) == render(images)


def test_the_data_in_a_sentence(images: Comparison) -> None:
    document = render(replace(images, spec=replace(images.spec, unit=1.0, shape=(3, 8, 9))))
    assert "300 images of 8 × 9 pixels in colour, values between 0 and 1, 4 classes." in document


def test_a_run_has_a_report(tmp_path: Path) -> None:
    spec = DataSpec("table", (5,), "real", 60, "my data.csv")
    model = build_recipe("vae", spec, latent_dim=2).model
    history = [
        {"step": 50, "seconds": 0.5, "train/loss": 9.0},
        {"step": 50, "seconds": 0.6, "validation/loss": 8.0},
        {"step": 100, "seconds": 1.0, "train/loss": 7.0},
        {"step": 100, "seconds": 1.2, "validation/loss": 7.5},
    ]
    settings = TrainingSettings(epochs=3, lr=1e-3)
    run = Run(model, spec, "vae", {"latent_dim": 2}, settings, Split(), history, ("A note.",))
    x = torch.randn(30, 5).numpy()
    path = run_report(
        run,
        {"originals": x, "reconstructions": 0.9 * x, "rates": np.array([1.5, 0.02])},
        tmp_path / "report.html",
        metrics={"r2": 0.81},
    )
    outline = Outline(path.read_text("utf-8"))
    words = "".join(outline.words)
    assert "vae on my data.csv" in words
    assert "lowest held-out loss was 7.50 nats a datum, at step 100 of 100" in words
    assert "isthmus fit 'my data.csv' --recipe vae --latent-dim 2 --epochs 3" in words
    assert "-s training.lr=0.001" in words
    assert "vae 1 of 2 (1.5 bits in all)" in words
    assert "A note." in words
    # Where losses do not compare the last weights are kept; how the data were read is repeated.
    run.kept_step, run.options = 50, {"channels": [8, 16]}
    run.reading = Reading("pictures/", {"crop": [31, 45], "flip": True})
    again = run_report(run, {}, tmp_path / "again.html").read_text("utf-8")
    assert "those of step 50 of 100, with a held-out loss of 8.00 nats a datum" in again
    assert "step 50: held-out loss 8.00 nats" in again
    assert "isthmus fit pictures/ --recipe vae --crop 31x45 -s data.flip=true" in again
    assert "-s model.channels=8,16" in again
    sections = [tag.attributes["id"] for tag in outline.named("section")]
    # Twelve integers below eight are 36 bits.
    run.model = build_recipe("vq-vae", spec, n_codes=8, positions=12).model
    whole = run_report(run, {}, tmp_path / "vq.html").read_text("utf-8")
    assert "5 numbers a datum into 12." in whole
    assert re.findall(r"<td>([\d.,]+)</td>", whole)[-1] == "5"
    assert sections == [
        "verdict",
        "figures",
        "reconstructions",
        "columns",
        "information",
        "training",
        "protocol",
    ]


def test_history_joins_readings_of_one_step() -> None:
    rows = history_array(
        [
            {"step": 2, "train/loss": 3.0},
            {"step": 2, "validation/loss": 4.0},
            {"step": 1, "train/loss": 5.0},
        ]
    )
    np.testing.assert_equal(rows, [[1, 5, np.nan], [2, 3, 4]])
    assert history_array([]).shape == (0, 3)


def test_the_winners_stand_against_the_next(images: Comparison) -> None:
    words = " ".join(Outline(render(images)).words)
    assert "The winner against the next" in words
    found = " ".join(words.split())
    assert "likelihood sigma-vae before vae 0.31 ± 0.40 nats, p = 0.440 within noise" in found
    assert "reconstruction ae before linear-ae 0.1234 ± 0.0056 squared error, p < 0.001" in found
    assert "The winner against" not in render(replace(images, pairs=[]))
