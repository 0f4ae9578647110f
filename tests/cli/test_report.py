from __future__ import annotations

import json
import shutil

import numpy as np

from isthmus.cli.gallery import held_out_arrays
from isthmus.data import load
from isthmus.fitting import fit
from isthmus.report.words import fixed


def test_a_run_with_and_without_its_data(digits_run, isthmus, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(digits_run, folder)
    page = folder / "report.html"
    with_data = page.read_text()
    page.unlink()
    assert "Wrote" in isthmus("report", folder).stdout
    bare = page.read_text()
    isthmus("report", folder, "digits")
    assert page.read_text() == with_data
    assert "<html" in bare
    assert len(with_data) > len(bare)
    for figure in ("prior", "traversals", "interpolations", "attributes", "outliers"):
        assert f'<section id="{figure}"' in with_data
        assert f'<section id="{figure}"' not in bare


def test_what_evaluate_found_stands_in_the_report(digits_run, isthmus, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(digits_run, folder)
    isthmus("evaluate", folder, "digits", "--measures", "reconstruction,information")
    isthmus("report", folder)
    page = (folder / "report.html").read_text()
    found = json.loads((folder / "metrics.json").read_text())["evaluation"]["values"]
    assert fixed(found["r2"]["value"], 3) in page
    assert '<h3 class="more">Information</h3>' in page
    assert fixed(found["mi"]["value"], 2) in page


def test_a_folder_of_neither(refused, here):
    (here / "empty").mkdir()
    assert "metrics.json" in refused("report", "empty").stderr
    assert list((here / "empty").iterdir()) == []


def test_a_runs_samples_have_the_noise_of_the_data():
    """Means of p(x|z) would be far too narrow where the code tells nothing of the data."""
    x = np.random.default_rng(0).normal(5.0, 3.0, size=(400, 3)).astype(np.float32)
    run = fit(load(x), "beta-vae", beta=100.0, latent_dim=2, epochs=20, threads=1)
    samples = held_out_arrays(run, load(x))["samples"]
    np.testing.assert_allclose(samples.std(), 3.0, rtol=0.2)
    counts = np.random.default_rng(0).poisson(4.0, size=(200, 5))
    run = fit(load(counts, kind="counts"), "vae", latent_dim=2, epochs=5, threads=1)
    samples = held_out_arrays(run, load(counts, kind="counts"))["samples"]
    np.testing.assert_array_equal(samples, samples.round())


def test_the_oddest_data_of_a_run_are_named_by_their_row():
    x = np.random.default_rng(0).normal(size=(900, 3)).astype(np.float32)
    source = load(x)
    run = fit(source, "ae", latent_dim=1, epochs=1, hidden=(4,), threads=1)
    found = held_out_arrays(run, source)
    assert found["extreme_numbered"].tolist() == ["of the data"]
    np.testing.assert_array_equal(x[found["extreme_numbers"]], found["extremes"])
