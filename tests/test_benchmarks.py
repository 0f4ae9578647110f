"""The benchmarks of quality run, with little budget, and judge by the right formulas."""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal, kl_divergence

from isthmus.distances import squared_mmd

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch):
    """Modules of the folder by name, gone again after the test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS / "contenders"))
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def parity(imported) -> ModuleType:
    return imported("parity")


@pytest.mark.parametrize("name", ["iwae", "vampprior", "two-layers", "iaf"])
def test_reproduce_runs(name, imported, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reproduce.py", name, "--quick", "--seeds", "0"])
    runpy.run_path(str(BENCHMARKS / "reproduce.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "Deviations:" in out
    assert "over vae" in out


def test_parity_runs_without_a_peer(imported, monkeypatch, capsys):
    arguments = ["parity.py", "--quick", "--cases", "vae", "vq-vae", "rae-gp"]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(BENCHMARKS / "parity.py"), run_name="__main__")
    assert "| rae-gp " in capsys.readouterr().out


def test_parity_judges_binary_data_by_the_elbo(parity):
    torch.manual_seed(0)
    x, out = torch.rand(6, 5).round().double(), 3 * torch.randn(4, 6, 5).double()
    mean, scale = torch.randn(6, 3).double(), torch.rand(6, 3).double() + 0.1
    found = {"out": out.numpy(), "mean": mean.numpy(), "scale": scale.numpy()}
    q = Independent(Normal(mean, scale), 1)
    p = Independent(Normal(torch.zeros_like(mean), torch.ones_like(scale)), 1)
    rate = kl_divergence(q, p).mean()
    distortion = F.binary_cross_entropy_with_logits(out, x.expand_as(out), reduction="none")
    distortion = distortion.sum(-1).mean()
    judged = parity.held_out("vae", x.numpy(), found, np.empty(0))
    assert judged["loss"] == pytest.approx((distortion + rate).item(), rel=1e-12)
    judged = parity.held_out("beta-vae", x.numpy(), found, np.empty(0))
    assert judged["loss"] == pytest.approx((distortion + 4 * rate).item(), rel=1e-12)


def test_parity_measures_the_discrepancy_that_is_trained(parity):
    torch.manual_seed(0)
    a, b = torch.randn(20, 3).double() + 1, torch.randn(20, 3).double()
    expected = squared_mmd(a, b).item()
    assert parity.squared_mmd(a.numpy(), b.numpy()) == pytest.approx(expected, rel=1e-10)


def test_gains_are_taken_datum_by_datum(imported):
    reproduce = imported("reproduce")
    rng = np.random.default_rng(0)
    hard = rng.normal(-90, 20, size=400)
    results = [
        {"passes": 1, "model": name, "seed": seed, "log_px": (hard + gain + seed).tolist()}
        for name, gain in (("vae", 0.0), ("better", 1.5))
        for seed in (0, 1)
    ]
    (found,) = reproduce.differences(results, "vae")
    assert found["model"] == "better"
    np.testing.assert_allclose(found["gains"], [(1.5, 0.0), (1.5, 0.0)], atol=1e-9)


def test_active_units_are_those_that_follow_the_data(imported):
    reproduce = imported("reproduce")

    class Model:
        prior = None

        def scaling(self, x):
            return x

        def infer(self, x):
            # Two units that follow x, one idle with the prior's noise, one that hardly moves.
            loc = torch.stack([x, 0.3 * x, 0 * x, 0.01 * x], 1)
            return Independent(Normal(loc, torch.ones_like(loc)), 1)

    torch.manual_seed(0)
    assert reproduce.active(Model(), torch.randn(1000)) == [2]


def test_recipes_run(imported, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recipes.py", "--quick", "--only", "vae linear-ae cvae"])
    runpy.run_path(str(BENCHMARKS / "recipes.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "| vae       | " in out
    assert "+0.0 (+0.0 to +0.0)" in out
    assert "| linear-ae | " in out
    assert " told 1" in out


def test_recipes_are_not_measured_twice(imported, monkeypatch, tmp_path):
    recipes = imported("recipes")
    trained = []

    def measured(name, seed, epochs, samples):
        trained.append((name, seed, epochs))
        return {"r2": 0.5}

    monkeypatch.setattr(recipes, "measured", measured)
    for epochs in (1, 1, 2):
        protocol = {"epochs": epochs, "samples": 10}
        assert recipes.kept(tmp_path, "svae:latent_dim=9", 0, protocol) == {"r2": 0.5}
    assert trained == [("svae:latent_dim=9", 0, 1), ("svae:latent_dim=9", 0, 2)]


def test_recipes_gain_seed_by_seed(imported):
    summary = imported("recipes").summary
    vae = {"0": {"log_p": 30.0}, "1": {"log_p": 34.0}}
    better = {"0": {"log_p": 31.0, "usage": 1.0}, "1": {"log_p": 37.0}}
    assert summary(better, vae) == {"log_p": 34.0, "over": [1.0, 3.0]}
    assert "over" not in summary({"2": {"log_p": 31.0}}, vae)


@pytest.mark.parametrize("name", ["perceptual", "image_training"])
def test_benchmarks_of_pictures_run(name, imported, monkeypatch, capsys, tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", train_images=stored)
    monkeypatch.setattr(
        sys, "argv", [f"{name}.py", "--images", str(tmp_path / "pictures.npz"), "--quick"]
    )
    runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert {"perceptual": "structural", "image_training": "with critic too"}[name] in out
