"""`isthmus density` and what `sample` and `fit --resume` make of it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.densities import with_sampler
from isthmus.fitting import Run


@pytest.fixture
def run_of_table(table_run, tmp_path):
    """A copy of the table's run, to be changed."""
    folder = tmp_path / "run"
    shutil.copytree(table_run, folder)
    return folder


def drawn(isthmus, run, path, *options):
    isthmus("sample", run, "-n", 6, *options, "-o", path)
    return np.load(path)


def test_a_density_is_fitted_drawn_from_and_left_again(run_of_table, table, isthmus, tmp_path):
    of_prior = drawn(isthmus, run_of_table, tmp_path / "0.npy")
    said = isthmus("density", run_of_table, "--on", "means", "-s", "components=2").stdout
    run = Run.read(run_of_table)
    held_out = run.split.of(load(table, label="town"))[2]
    z = run.model.encode(next(held_out.chunks(100)).x)
    ours = run.model.sampler().log_prob(z).mean()
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1).mean()
    assert f"log density of {len(z)} held-out codes: {ours:.3f} nats" in said
    assert f"prior {normal:.3f} nats" in said
    assert len(run.model.sampler.logits) == 2
    torch.manual_seed(0)
    expected = run.model.sample(6).numpy()
    np.testing.assert_array_equal(drawn(isthmus, run_of_table, tmp_path / "1.npy"), expected)
    asked = drawn(isthmus, run_of_table, tmp_path / "2.npy", "--from", "density")
    np.testing.assert_array_equal(asked, expected)
    again = drawn(isthmus, run_of_table, tmp_path / "3.npy", "--from", "prior")
    np.testing.assert_array_equal(again, of_prior)
    assert with_sampler(run.model, None).sampler is None
    isthmus("density", run_of_table, "--kind", "none")
    np.testing.assert_array_equal(drawn(isthmus, run_of_table, tmp_path / "4.npy"), of_prior)


def test_a_finished_run_that_is_resumed_keeps_its_density(run_of_table, table, isthmus):
    isthmus("density", run_of_table, "--kind", "flow", "-s", "steps=3", "-s", "hidden=4,4")
    before = (run_of_table / "model.safetensors").read_bytes()
    options = ("--label", "town", "--latent-dim", 2, "--hidden", 16, "--threads", 1, "--epochs", 1)
    again = ("fit", table, *options, "--device", "cpu", "-o", run_of_table, "--resume")
    assert "was finished already" in isthmus(*again).stdout
    assert (run_of_table / "model.safetensors").read_bytes() == before
    assert Run.read(run_of_table).model.sampler is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kind", "flo"), "Did you mean 'flow'"),
        (("--kind", "vamp"), "Unknown density 'vamp'"),
        (("--kind", "autoregressive"), "integer codes"),
        (("-s", "component=3"), "Did you mean 'components'"),
        (("-s", "components"), "KEY=VALUE"),
        (("-s", "latent_shape=3"), "Unknown option"),
        (("--kind", "none", "--on", "means"), "leave DATA, --on and -s out"),
        (("--on", "modes"), "Invalid value"),
        (("nowhere.csv",), "no file or data set"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments, said, table_run, refused):
    data = [a for a in arguments if a.endswith(".csv")]
    rest = [a for a in arguments if a not in data]
    assert said in refused("density", table_run, *data, *rest).stderr


def test_no_density_and_no_data_are_said(table_run, refused, tmp_path, monkeypatch, isthmus):
    said = refused("sample", table_run, "--from", "density", "-o", tmp_path / "x.npy").stderr
    assert "no density beside its prior" in said
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "\n".join(f"{i % 5},{i % 3}" for i in range(20)) + "\n")
    monkeypatch.chdir(tmp_path)
    options = ("--hidden", 4, "--threads", 1, "--epochs", 1, "--device", "cpu", "-o", "run")
    isthmus("fit", "t.csv", *options)
    path.unlink()
    assert "which is not here: give DATA" in refused("density", "run").stderr
