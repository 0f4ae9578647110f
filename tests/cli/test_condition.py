"""Conditional models on the command line: fit, sample, decode, reconstruct, score."""

import csv
import json
import shlex

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from isthmus.cli.main import cli
from isthmus.data import load
from isthmus.fitting import Run

QUICK = ("--threads", "1", "--epochs", "1", "--device", "cpu", "--hidden", "16")


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "cvae"
    arguments = ["fit", "digits", "--recipe", "cvae", "--condition", "label", "-o", str(folder)]
    result = CliRunner().invoke(cli, [*arguments, "--latent-dim", "3", *QUICK])
    assert result.exit_code == 0, result.output
    assert (folder / "report.html").exists()
    return folder


def test_samples_of_a_class_are_the_model_s(conditional_run, isthmus, tmp_path):
    isthmus("sample", conditional_run, "--condition", 3, "-n", 5, "-o", tmp_path / "x.npy")
    model = Run.read(conditional_run).model
    torch.manual_seed(0)
    expected = model.sample(5, condition=torch.eye(10)[3])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected.numpy())


def test_codes_and_data_under_their_own_condition_and_another(conditional_run, isthmus, tmp_path):
    isthmus("encode", conditional_run, "digits", "-o", tmp_path / "z.npy")
    for name, *condition in (("own",), ("other", "--condition", "label=7")):
        isthmus(
            "reconstruct", conditional_run, "digits", *condition, "-o", tmp_path / f"{name}.npy"
        )
    isthmus(
        *("decode", conditional_run, tmp_path / "z.npy", "--condition", "7"),
        *("-o", tmp_path / "seven.npy"),
    )
    own, other, seven = (np.load(tmp_path / f"{n}.npy") for n in ("own", "other", "seven"))
    np.testing.assert_array_equal(other, seven)
    assert np.abs(own - other).max() > 0.01
    said = isthmus("score", conditional_run, "digits", "--samples", 2, "-o", tmp_path / "s.npy")
    assert "mean log p(x)" in said.stdout


def test_what_is_wrong_is_said(conditional_run, digits_run, refused, tmp_path):
    said = refused("sample", conditional_run, "-o", tmp_path / "x.npy").stderr
    assert "conditioned on label (0, 1, 2" in said
    assert "give it as --condition label=0." in said
    said = refused("sample", conditional_run, "--condition", "x", "-o", tmp_path / "x.npy").stderr
    assert "Unknown value of label" in said
    said = refused("sample", digits_run, "--condition", "3", "-o", tmp_path / "x.npy").stderr
    assert "not conditioned on anything" in said
    said = refused("fit", "digits", "--recipe", "cvae", "-o", tmp_path / "run").stderr
    assert "--condition" in said


def test_a_table_conditioned_on_columns(isthmus, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "age", "b", "sex"])
        writer.writerows([*rng.normal(size=3), "fm"[i % 2]] for i in range(40))
    run = tmp_path / "run"
    isthmus("fit", path, "--recipe", "cvae", "--condition", "age,sex", *QUICK, "-o", run)
    assert [c.name for c in Run.read(run).spec.columns] == ["a", "b"]
    isthmus("sample", run, "--condition", "age=0.5,sex=m", "-n", 4, "-o", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().startswith("a,b\n")
    isthmus("reconstruct", run, path, "-o", tmp_path / "again.csv")
    # One column of the condition is changed, the other stays each datum's own.
    isthmus("reconstruct", run, path, "--condition", "sex=m", "-o", tmp_path / "men.npy")
    read, source = Run.read(run).model, load(path, condition=("age", "sex"))
    z = read.encode(source.x, condition=source.condition)
    men = source.condition.clone()
    men[:, 1:] = torch.tensor([0.0, 1.0])
    expected = read.decode(z, condition=men)
    np.testing.assert_allclose(np.load(tmp_path / "men.npy"), expected, atol=1e-6)
    assert np.load(tmp_path / "men.npy").shape == (40, 2)


def test_the_line_that_a_fit_ends_with_draws_from_a_conditional_model(isthmus, tmp_path):
    path = tmp_path / "t.csv"
    rows = (f"{i % 7},{i % 5}.5,{'yes' if i % 2 else 'no'}" for i in range(30))
    path.write_text("a,b,smokes\n" + "\n".join(rows) + "\n")
    options = ("--recipe", "cvae", "--condition", "smokes,b", *QUICK, "-o", tmp_path / "run")
    said = isthmus("fit", path, *options).stdout
    line = shlex.split(said.splitlines()[-1])
    assert line[line.index("--condition") + 1] == "smokes=no,b=2.5"
    isthmus(*line[1:-1], tmp_path / "x.csv")
    isthmus("encode", tmp_path / "run", path, "-o", tmp_path / "z.csv")


def test_a_table_with_gaps_is_learned_from_and_read_again(isthmus, refused, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    rows = rng.normal(size=(40, 3))
    text = [",".join("" if rng.random() < 0.2 else f"{v:.4f}" for v in row) for row in rows]
    path.write_text("a,b,c\n" + "\n".join(text) + "\n")
    run = tmp_path / "run"
    options = ("--recipe", "miwae-imputation", *QUICK, "-o", run)
    plain = ("--recipe", "vae", *QUICK, "-o", tmp_path / "plain")
    assert "missing" in refused("fit", path, *plain).stderr
    isthmus("fit", path, *options)
    isthmus("encode", run, path, "-o", tmp_path / "z.npy")
    isthmus("score", run, path, "--samples", 5, "-o", tmp_path / "s.npy")
    assert np.isfinite(np.load(tmp_path / "z.npy")).all()
    assert np.isfinite(np.load(tmp_path / "s.npy")).all()


def test_a_conditional_run_is_measured_under_the_labels_it_remembers(conditional_run, isthmus):
    result = isthmus(
        *("evaluate", conditional_run, "digits", "--measures", "likelihood,information,probe"),
        *("--samples", 5, "--dequantise"),
    )
    # The lines are as wide as a terminal: the words may be broken anywhere.
    said = " ".join(result.output.split())
    assert "cvae is told label of each datum" in said
    stored = json.loads((conditional_run / "metrics.json").read_text())["evaluation"]
    assert {"nll", "mi", "probe"} <= stored["values"].keys()
    assert "whole levels spread" in stored["protocol"]["likelihood"]
