from __future__ import annotations

import csv
import math
import re

import numpy as np
import torch

from isthmus.data import load
from isthmus.fitting import Run


def test_scores_are_log_p_of_the_model(digits_run, isthmus, tmp_path):
    said = isthmus("score", digits_run, "digits", "--samples", 7, "-o", tmp_path / "s.npy").stdout
    scores = np.load(tmp_path / "s.npy")
    model = Run.read(digits_run).model
    torch.manual_seed(0)
    expected = model.log_likelihood(load("digits").x, samples=7)
    np.testing.assert_allclose(scores, expected.numpy(), rtol=1e-5)
    mean, error, bits = map(
        float, re.search(r"([-\d.]+) ± ([\d.]+) nats, ([-\d.]+) bits/dim", said).groups()
    )
    assert math.isclose(mean, scores.mean(), abs_tol=1e-3)
    assert math.isclose(error, scores.std(ddof=1) / math.sqrt(len(scores)), abs_tol=1e-3)
    # A density of x / 16 is one of x after 4 bits for each of the 64 pixels.
    assert math.isclose(bits, -scores.mean() / math.log(2) / 64 + 4, abs_tol=1e-3)


def test_scores_repeat_and_carry_the_label(table, table_run, isthmus, tmp_path):
    arguments = ("score", table_run, table, "--samples", 5, "--label", "town")
    isthmus(*arguments, "-o", tmp_path / "a.csv")
    isthmus(*arguments, "-o", tmp_path / "b.csv")
    isthmus(*arguments, "-o", tmp_path / "c.csv", "--seed", 1)
    a, b, c = ((tmp_path / f"{name}.csv").read_text() for name in "abc")
    assert a == b != c
    rows = list(csv.DictReader(a.splitlines()))
    assert list(rows[0]) == ["log_p", "label"]
    assert len(rows) == 60
    assert {row["label"] for row in rows} == {"Ulm", "Bonn"}


def test_a_mean_that_is_infinite_has_no_error(table, table_run, isthmus, tmp_path):
    rows = table.read_text().splitlines()
    far = ",".join(["1e30", *rows[1].split(",")[1:]])
    (tmp_path / "far.csv").write_text("\n".join([*rows[:1], far, *rows[2:]]) + "\n")
    arguments = ("--samples", 2, "--label", "town", "-o", tmp_path / "s.csv")
    said = isthmus("score", table_run, tmp_path / "far.csv", *arguments).stdout
    assert "-inf ± nan nats" in said


def test_a_model_without_a_density_is_refused(plain_run, refused, here):
    refusal = refused("score", plain_run, "digits", "-o", "s.csv")
    assert "density" in refusal.stderr
    assert list(here.iterdir()) == []


def test_values_without_a_density_are_refused(isthmus, refused, here):
    unit = ("--likelihood", "continuous-bernoulli", "--hidden", 8, "--epochs", 1, "--threads", 1)
    isthmus("fit", "digits", *unit, "-o", "run")
    x = load("digits").x.numpy().copy()
    x[3, 0, 0, 0] = 1.2
    np.save("x.npy", x)
    refusal = refused("score", "run", "x.npy", "--samples", 2, "-o", "s.csv")
    assert "1.2" in refusal.stderr
    assert sorted(p.name for p in here.iterdir()) == ["run", "x.npy"]
