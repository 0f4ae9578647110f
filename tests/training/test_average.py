"""Averaged weights against torch's own averaged model, and in runs that are stopped."""

from __future__ import annotations

import signal
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

import isthmus
from isthmus.fitting import fit
from isthmus.recipes import build_recipe
from isthmus.training import Step, evaluate, train, training_settings
from isthmus.training.average import Average

PARTS = (0.7, 0.1, 0.2)


def ramped(decay):
    def update(means, weights, taken):
        share = min(decay, (1 + int(taken)) / (10 + int(taken)))
        for mean, weight in zip(means, weights, strict=True):
            mean.mul_(share).add_(weight, alpha=1 - share)

    return update


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_the_average_is_torch_s_with_the_same_ramp(decay, float64):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[2].bias.requires_grad_(False)
    average = Average(model, decay)
    oracle = AveragedModel(model, multi_avg_fn=ramped(decay))
    optimizer = torch.optim.SGD(model[:2].parameters(), lr=0.3)
    for step in range(1, 40):
        model(torch.randn(8, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(step)
        oracle.update_parameters(model)
    training = {name: t.clone() for name, t in model.state_dict().items()}
    with average.shown():
        for mine, theirs in zip(model.parameters(), oracle.module.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-14, rtol=1e-12)
        assert not model[0].weight.equal(training["0.weight"])
        # Buffers are those of training, whole numbers too.
        for name, t in model.named_buffers():
            assert t.equal(training[name])
    for name, t in model.state_dict().items():
        assert t.equal(training[name])


def test_no_decay_holds_nothing():
    model = nn.Linear(3, 4)
    average = Average(model, 0.0)
    average.update(1)
    assert average.state() == {}
    before = model.weight.clone()
    with average.shown():
        assert model.weight.equal(before)


def _break(shown, model, before):
    with shown:
        assert model.weight.equal(before)
        raise RuntimeError


def test_a_block_that_breaks_gives_the_weights_back():
    model = nn.Linear(3, 4)
    average, before = Average(model, 0.9), model.weight.detach().clone()
    average.update(1)
    model.weight.data.add_(1)
    shown = average.shown()
    with pytest.raises(RuntimeError):
        _break(shown, model, before)
    assert model.weight.equal(before + 1)


def test_what_is_judged_and_kept_is_the_average(table, tmp_path):
    training, validation = (table.subset(part, 0, PARTS) for part in ("train", "validation"))
    settings = {
        "epochs": 3, "batch_size": 35, "threads": 1, "warmup": 0, "lr": 0.02, "evaluations": 1,
        "log_every": 12, "patience": 0,
    }  # fmt: skip
    ends, weights = {}, {}
    for decay in (0.0, 0.8):
        torch.manual_seed(3)
        built = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
        taken = []
        built.model.decoder.register_forward_pre_hook(
            lambda module, _, taken=taken, model=built.model: (
                taken.append([p.detach().clone() for p in model.parameters()])
                if module.training
                else None
            )
        )
        chosen = training_settings(**settings, ema=decay)
        folder = tmp_path / str(decay)
        isthmus.save(built.model, folder)
        trained = train(built.model, built.objective, training, validation, chosen, folder=folder)
        ends[decay] = trained.history[-1]["validation/loss"]
        step = Step(built.model, built.objective)
        assert evaluate(step, validation, 35, nullcontext)["loss"] == pytest.approx(ends[decay])
        weights[decay] = [p.detach().clone() for p in built.model.parameters()]
        stored = isthmus.load(folder)
        for mine, theirs in zip(stored.parameters(), weights[decay], strict=True):
            assert mine.equal(theirs)
    # The weights before steps 2 to 12, and after the last: the average by a plain loop.
    trail = [*taken[1:], weights[0.0]]
    means = [p.double() for p in trail[0]]
    for t, now in enumerate(trail[1:], start=1):
        share = min(0.8, (1 + t) / (10 + t))
        means = [share * m + (1 - share) * p.double() for m, p in zip(means, now, strict=True)]
    assert len(trail) == 12
    for mean, kept in zip(means, weights[0.8], strict=True):
        torch.testing.assert_close(mean.float(), kept, atol=1e-6, rtol=1e-5)
    assert ends[0.0] != ends[0.8]


def test_a_killed_run_resumes_to_the_same_bits(start, tmp_path, timeless):
    options = {
        "hidden": (16,), "latent_dim": 3, "threads": 1, "epochs": 3, "batch_size": 16, "ema": 0.9,
        "checkpoint_seconds": 1e-3, "seed": 2, "train": ("decoder", "posterior"), "patience": 0,
    }  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    job = {"recipe": "vae", "rows": 330}
    first = start(**job, options={**options, "folder": whole})
    first.join(60)
    cut = start(
        **job, options={**options, "folder": killed}, die=("last.safetensors", 9, "after")
    )  # fmt: skip
    cut.join(60)
    assert cut.exitcode == -signal.SIGKILL
    stored = load_file(killed / "checkpoints" / "last.safetensors")
    averaged = {name.removeprefix("average.") for name in stored if name.startswith("average.")}
    assert {name.split(".")[0] for name in averaged} == {"decoder", "posterior"}
    assert any(not stored[f"average.{n}"].equal(stored[f"step.model.{n}"]) for n in averaged)
    again = start(**job, options={**options, "folder": killed, "resume": True})
    again.join(60)
    assert again.exitcode == 0
    one, other = (load_file(f / "model.safetensors") for f in (whole, killed))
    for name, t in one.items():
        assert t.equal(other[name])
    assert timeless(killed) == timeless(whole)


def test_another_decay_is_no_resumption(table, tiny, tmp_path):
    fit(table, "ae", folder=tmp_path / "run", ema=0.9, **tiny)
    with pytest.raises(isthmus.errors.RunError, match=r"ema was 0\.9, now 0\.5"):
        fit(table, "ae", folder=tmp_path / "run", ema=0.5, resume=True, **tiny)
