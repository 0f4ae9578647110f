"""The rate–distortion curve by a sweep of beta."""

import csv
import json

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.errors import OptionError, RunError
from isthmus.evaluation import rate_distortion
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.evaluation.sweep import say_curve
from isthmus.fitting import Run
from isthmus.report import render

QUICK = {
    "latent_dim": 3,
    "epochs": 20,
    "batch_size": 32,
    "threads": 1,
    "samples": 5,
    "options": {"hidden": (16,)},
}


@pytest.fixture(scope="module")
def x():
    random = np.random.default_rng(0)
    wide = random.normal(size=(400, 3)) @ random.normal(size=(3, 6)) * 3
    return (wide + 0.1 * random.normal(size=(400, 6))).astype(np.float32)


@pytest.fixture(scope="module")
def swept(x, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve") / "rd"
    return rate_distortion(x, [10, 0.1, 1], folder=folder, **QUICK), folder


def test_the_code_costs_less_and_leaves_more_to_say_as_beta_grows(swept):
    curve, _ = swept
    assert [r.label for r in curve.results] == ["beta 0.1", "beta 1", "beta 10"]
    rates = [r.metrics["rate"] for r in curve.results]
    left = [r.metrics["distortion"] for r in curve.results]
    assert rates == sorted(rates, reverse=True)
    assert left == sorted(left)
    assert all(r.errors["rate"] > 0 for r in curve.results)
    assert f"{rates[0]:.1f} to {rates[-1]:.1f} bits" in curve.findings[0].text
    sums = np.add(rates, left)
    assert curve.findings[0].winner == curve.results[sums.argmin()].label


def test_a_point_is_what_the_run_s_own_model_says_of_held_out_data(swept, x):
    """Rates need no decoder: KL(q ‖ p) of the model that lies in the folder."""
    curve, folder = swept
    run = Run.read(folder / "runs" / "beta-vae-hidden-16-beta-1-z-3-seed-0")
    assert run.options["beta"] == 1.0
    held_out = next(run.split.of(load(x))[2].chunks(1000)).x
    with torch.no_grad():
        q = run.model.infer(run.model.scaling(held_out))
        kl = 0.5 * (q.loc**2 + q.scale**2 - 1).sum(1) - q.scale.log().sum(1)
    expected = float(kl.mean()) / np.log(2)
    assert curve.results[1].metrics["rate"] == pytest.approx(expected, rel=1e-4)


def test_rows_in_csv_and_json_are_the_results(swept):
    curve, folder = swept
    with (folder / "rd.csv").open() as file:
        rows = list(csv.DictReader(file))
    points = json.loads((folder / "rd.json").read_text())["points"]
    assert [float(row["beta"]) for row in rows] == [0.1, 1.0, 10.0]
    for row, point, result in zip(rows, points, curve.results, strict=True):
        for key in ("rate", "distortion", "nll"):
            assert float(row[key]) == point[key] == result.metrics[key]
            assert float(row[f"{key}_error"]) == result.errors[key]


def test_the_report_joins_the_points_and_can_be_drawn_again(swept):
    _, folder = swept
    page = render(Comparison.read(folder))
    assert page.count('class="curve"') == 2  # for wide and for narrow pages
    assert "What a bit buys" in page
    assert "beta-vae at 3 settings" in page


def test_finished_runs_are_not_trained_again_and_betas_are_added(swept, x):
    curve, folder = swept
    before = {path: path.read_text() for path in folder.glob("runs/*/history.jsonl")}
    heard = []
    again = rate_distortion(x, [0.1, 1, 10, 30], folder=folder, say=heard.append, **QUICK)
    assert [line.split()[0] for line in heard] == ["reading"] * 3 + ["training"]
    assert len(before) == 3
    assert all(path.read_text() == text for path, text in before.items())
    for old, new in zip(curve.results, again.results, strict=False):
        assert new.metrics["rate"] == pytest.approx(old.metrics["rate"], rel=1e-6)
    assert again.results[-1].label == "beta 30"
    with pytest.raises(RunError):
        rate_distortion(x, [0.1], folder=folder, **{**QUICK, "epochs": 30})


@pytest.mark.parametrize(
    ("betas", "recipe", "said"),
    [([], "beta-vae", "betas="), ([-1], "beta-vae", "none below 0"), ([1], "ae", "no option beta")],
)
def test_what_is_no_curve_is_refused(x, betas, recipe, said):
    with pytest.raises(OptionError, match=said):
        rate_distortion(x, betas, recipe=recipe)


def points(*rates):
    return [
        ModelResult("beta-vae", f"beta {i}", "learned", 2, metrics={"rate": r, "distortion": 9 - r})
        for i, r in enumerate(rates, start=1)
    ]


def test_codes_that_carry_nothing_are_called_so():
    winner, text = say_curve(points(0.001, 0.0))
    assert winner == ""
    assert "no code carries" in text
    assert say_curve(points(4.0, 0.0))[0] == "beta 1"
