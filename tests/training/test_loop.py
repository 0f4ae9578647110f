"""The one loop: what it keeps, what it stops for, and what it leaves alone."""

from __future__ import annotations

import json
import math
import random
import shutil
import time

import numpy as np
import pytest
import torch

import isthmus
from isthmus.data import load
from isthmus.errors import TrainingError
from isthmus.fitting import fit
from isthmus.objectives import Elbo, Schedule
from isthmus.recipes import build_recipe
from isthmus.training import Listener, Step, evaluate, train, training_settings
from isthmus.training.devices import autocast

CPU = torch.device("cpu")


def parts(source):
    return source.subset("train", 0, (0.7, 0.1, 0.2)), source.subset(
        "validation", 0, (0.7, 0.1, 0.2)
    )


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class Heard(Listener):
    def __init__(self, then=None):
        self.records, self.closed, self.then = [], 0, then

    def hear(self, record):
        self.records.append(record)
        if self.then is not None:
            self.then(record)

    def close(self):
        self.closed += 1


def test_a_step_is_adamw_s_step_on_the_objective(table):
    training, validation = parts(table)
    built = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
    twin = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
    settings = training_settings(
        epochs=1, batch_size=len(training), warmup=0, threads=1, lr=0.01, weight_decay=0.1
    )
    built.model.scaling.fit(training)
    twin.model.load_state_dict(built.model.state_dict())
    train(built.model, built.objective, training, validation, settings)

    x = next(training.epoch(len(training), seed=0, epoch=0)).x
    u = (x - x.mean(0)) / x.std(0, unbiased=False)
    # Training begins at the mean of the data.
    twin.model.decoder.last_bias().data.copy_(u.mean(0))
    z = twin.model.posterior.head(twin.model.encoder(u))
    x_hat = twin.model.decoder(z)[:, 0]
    loss = (0.5 * (u - x_hat).square() + 0.5 * math.log(2 * math.pi)).sum(1).mean()
    optimizer = torch.optim.AdamW(twin.model.parameters(), lr=0.01, weight_decay=0.1)
    loss.backward()
    optimizer.step()
    torch.testing.assert_close(weights(built.model), weights(twin.model), atol=1e-6, rtol=1e-6)


def test_equal_seeds_give_equal_bits_and_other_seeds_do_not(table, tiny):
    one, other, third = (weights(fit(table, "vae", seed=seed, **tiny).model) for seed in (1, 1, 2))
    assert one.equal(other)
    assert not one.equal(third)


def test_the_caller_s_random_states_are_untouched(table, tiny, tmp_path):
    random.seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    fit(table, "vae", folder=tmp_path / "run", **tiny)
    assert torch.get_rng_state().equal(before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()


def test_the_best_weights_are_kept_and_not_the_last(digits, tmp_path):
    few = load(digits.x[:120].numpy())
    run = fit(
        few, "ae", folder=tmp_path / "run", epochs=20, batch_size=32, lr=0.3, floor=1.0, warmup=0.4,
        hidden=(32,), latent_dim=8, threads=1, patience=0, checkpoint_seconds=1e-9,
    )  # fmt: skip
    held_out = [r for r in run.history if "validation/loss" in r]
    best = min(held_out, key=lambda r: r["validation/loss"])
    assert best["step"] < held_out[-1]["step"]
    assert best["validation/loss"] < held_out[-1]["validation/loss"]
    validation = parts(few)[1]
    built = build_recipe("ae", few.spec, hidden=(32,), latent_dim=8)
    for model in (run.model, isthmus.load(tmp_path / "run")):
        step = Step(model, built.objective)
        found = evaluate(step, validation, 32, autocast(run.settings, CPU))
        assert found["loss"] == pytest.approx(best["validation/loss"], rel=1e-5)
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert stored["training"]["step"] == best["step"]


def test_patience_stops_a_run_that_no_longer_improves(table, tiny):
    options = {**tiny, "epochs": 50, "lr": 0.5, "evaluations": 50}
    run = fit(table, "ae", patience=3, **options)
    held_out = [r["validation/loss"] for r in run.history if "validation/loss" in r]
    assert run.history[-1]["progress"] < 1
    assert min(held_out[-3:]) > min(held_out[:-3]) == held_out[-4]


def test_held_out_data_are_judged_with_the_same_noise_every_time(table):
    built = build_recipe("vae", table.spec, latent_dim=2, hidden=(8,))
    step, validation = Step(built.model, built.objective), parts(table)[1]
    precision = autocast(training_settings(), CPU)
    one = evaluate(step, validation, 7, precision)
    state = torch.get_rng_state()
    assert evaluate(step, validation, 7, precision) == one
    assert torch.get_rng_state().equal(state)
    assert step.training
    # By hand, chunk by chunk, weighted by size.
    built.objective.eval()
    built.model.eval()
    torch.manual_seed(20_131)
    with torch.no_grad():
        total = sum(step(b.x).total.item() * len(b) for b in validation.chunks(7))
    assert one["loss"] == pytest.approx(total / len(validation), rel=1e-6)


def test_the_stored_order_of_held_out_data_says_nothing_of_a_model():
    # Rows by class: a batch of one class has other codes than the prior, and than any in training.
    rng = np.random.default_rng(0)
    centres = 4.0 * rng.normal(size=(5, 6))
    rows = np.repeat(centres, 200, 0) + 0.3 * rng.normal(size=(1000, 6))
    source = load(rows.astype(np.float32))
    options = {"hidden": (16,), "latent_dim": 2, "threads": 1, "epochs": 10, "batch_size": 20}
    run = fit(source, "wae-mmd", **options)
    (kept,) = (r for r in run.history if "validation/mmd" in r and r["step"] == run.kept_step)

    x = torch.cat([b.x for b in parts(source)[1].chunks(1000)])
    step = Step(run.model, build_recipe("wae-mmd", source.spec, latent_dim=2).objective).eval()

    def by_hand(order):
        with torch.no_grad():
            return float(np.mean([step(x[i]).terms["mmd"].mean() for i in order.split(20)]))

    anyhow = np.mean([by_hand(torch.randperm(len(x))) for _ in range(20)])
    assert by_hand(torch.arange(len(x))) > 4 * anyhow
    assert kept["validation/mmd"] == pytest.approx(anyhow, rel=0.5)


class Noted(Schedule):
    """A schedule that keeps what it was asked."""

    final_value = 1.0

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, progress):
        self.asked.append(float(progress))
        return 1.0


def test_the_objective_s_schedule_follows_the_progress(table):
    built = build_recipe("vae", table.spec, latent_dim=2, hidden=(8,))
    schedule = Noted()
    settings = training_settings(epochs=5, batch_size=32, threads=1)
    train(built.model, Elbo(schedule), *parts(table), settings)
    steps = settings.total_steps(140)
    assert schedule.asked == pytest.approx([i / steps for i in range(steps)], abs=1e-6)


def test_a_kl_warm_up_weighs_the_rate_step_by_step(table):
    run = fit(
        table, "vae", latent_dim=2, hidden=(8,), epochs=10, batch_size=35, threads=1, log_every=1,
        kl_warmup=0.5,
    )  # fmt: skip
    readings = [r for r in run.history if "train/loss" in r]
    assert len(readings) == 40
    for i, r in enumerate(readings):
        weight = min(1.0, i / 40 / 0.5)
        expected = r["train/distortion"] + weight * r["train/rate"]
        assert r["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_clipping_bounds_the_first_update_of_plain_gradients(table, tiny):
    plain, clipped, loose = (
        weights(fit(table, "ae", clip=clip, **tiny).model) for clip in (0.0, 1e-3, 1e9)
    )
    assert plain.equal(loose)
    assert not plain.equal(clipped)


@pytest.mark.parametrize("where", ["nowhere", "folder"])
def test_nan_stops_with_step_and_term_and_the_best_weights_stay(where, table, tmp_path):
    training, validation = parts(table)
    built = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
    folder = tmp_path / "run" if where == "folder" else None
    if folder is not None:
        isthmus.save(built.model, folder)
    kept = []

    def poison(record):
        if "validation/loss" in record:
            kept.append((record["step"], weights(built.model).clone()))
        if record["step"] == 20 and "train/loss" in record:
            # From here on: the weights of step 20 are still evaluated, and step 21 breaks.
            built.model.decoder.register_forward_hook(
                lambda module, _, out: out * math.nan if module.training else out
            )

    settings = training_settings(
        epochs=10, batch_size=14, threads=1, log_every=5, evaluations=10, lr=1e-3, warmup=0,
        checkpoint_seconds=1e-9,
    )  # fmt: skip
    with pytest.raises(TrainingError) as caught:
        train(
            built.model, built.objective, training, validation, settings,
            folder=folder, listeners=[Heard(poison)],
        )  # fmt: skip
    said = str(caught.value)
    assert said.startswith(
        "The term 'distortion' became NaN at step 21. The best weights, of step 20,"
    )
    assert (f"are safe in {folder}." if folder else "are in the model again.") in said
    assert "\n" not in said
    assert kept[-1][0] == 20
    assert weights(built.model).equal(kept[-1][1])
    assert not built.model.training
    if folder is not None:
        assert weights(isthmus.load(folder)).equal(kept[-1][1])
        from safetensors.torch import load_file

        stored = load_file(folder / "checkpoints" / "last.safetensors")
        assert all(t.isfinite().all() for t in stored.values() if t.is_floating_point())
        assert json.loads((folder / "history.jsonl").read_text().splitlines()[-1])["step"] == 20


def test_nan_gradients_of_a_finite_loss_reach_no_checkpoint(table, tmp_path):
    built = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
    isthmus.save(built.model, tmp_path)

    def poison(record):
        if record["step"] == 9 and "train/loss" in record:
            built.model.posterior.head.weight.register_hook(lambda g: g * math.nan)

    # Read at 10, evaluated and saved at every reading: only the weights show the break.
    settings = training_settings(
        epochs=3, batch_size=14, threads=1, log_every=1, evaluations=2, checkpoint_seconds=1e-9
    )
    with pytest.raises(TrainingError, match="The term 'weights' became NaN at step 10"):
        train(
            built.model, built.objective, *parts(table), settings,
            folder=tmp_path, listeners=[Heard(poison)],
        )  # fmt: skip
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "checkpoints" / "last.safetensors")
    assert all(t.isfinite().all() for t in stored.values() if t.is_floating_point())


def test_extreme_data_are_scaled_and_an_extreme_rate_is_said_in_words(tiny):
    x = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    x[::7] *= 1e30
    assert math.isfinite(fit(x, "ae", **tiny).history[-1]["validation/loss"])
    with pytest.raises(
        TrainingError, match=r"became (inf|NaN) at step \d+[.] .* Lower lr, set clip"
    ):
        fit(x, "vae", lr=1e6, **tiny)


def test_bfloat16_stays_close_and_its_weights_stay_float32(digits, tiny):
    few = load(digits.x[:400].numpy())
    losses = {}
    for precision in ("float32", "bfloat16"):
        run = fit(few, "vae", precision=precision, **tiny)
        losses[precision] = run.history[-1]["validation/loss"]
        assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)


@pytest.mark.parametrize("data", ["images", "table"])
def test_channels_last_is_a_matter_of_layout(data, digits, table, tiny):
    source = table if data == "table" else load(digits.x[:100].numpy())
    options = {**tiny, "epochs": 2, "network": "auto" if data == "table" else "conv"}
    plain, last = (
        weights(fit(source, "ae", channels_last=on, **options).model) for on in (False, True)
    )
    torch.testing.assert_close(plain, last, atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_compiled_is_the_same_step(table, monkeypatch):
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler here")
    from torch._inductor import config

    # A few kernels: a pool of compilers does not pay off.
    monkeypatch.setattr(config, "compile_threads", 1)
    options = {"latent_dim": 2, "epochs": 2, "batch_size": 64, "threads": 1}
    plain, made = (
        weights(fit(table, "linear-ae", compile=on, **options).model) for on in (False, True)
    )
    torch.testing.assert_close(plain, made, atol=1e-5, rtol=1e-4)


def test_a_budget_in_minutes_ends_in_time_and_its_schedules_follow_the_clock(table):
    start = time.monotonic()
    run = fit(table, "vae", latent_dim=2, hidden=(8,), minutes=0.02, threads=1, patience=0)
    assert 1.2 <= time.monotonic() - start < 6
    assert run.history[-1]["progress"] == 1.0
    assert run.history[-1]["seconds"] == pytest.approx(1.2, abs=0.5)
    for r in run.history:
        assert r["progress"] == pytest.approx(min(1.0, r["seconds"] / 1.2), abs=2e-3)
    weighed = [r for r in run.history if "train/loss" in r and r["progress"] > 0.3]
    for r in weighed:
        assert r["train/loss"] == pytest.approx(r["train/distortion"] + r["train/rate"], rel=1e-4)


def test_slow_steps_do_not_overrun_a_budget_in_minutes(table):
    built = build_recipe("ae", table.spec, latent_dim=2, hidden=(8,))
    built.model.encoder.register_forward_pre_hook(lambda *_: time.sleep(0.05))
    start = time.monotonic()
    settings = training_settings(minutes=0.01, threads=1, evaluations=1)
    train(built.model, built.objective, *parts(table), settings)
    assert time.monotonic() - start < 0.6 + 1.0


def test_listeners_hear_everything_in_order_and_are_closed(table, tiny):
    heard = Heard()
    run = fit(table, "vae", listeners=[heard], **tiny)
    assert heard.records == run.history
    assert heard.closed == 1
    steps = [r["step"] for r in run.history]
    assert steps == sorted(steps)
    assert steps[0] == 1
    assert run.history[-1]["progress"] == 1.0


def test_more_data_than_the_batch_are_not_needed(tiny):
    x = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    run = fit(x, "ae", **{**tiny, "batch_size": 512})
    assert run.history[-1]["epoch"] == tiny["epochs"]


def test_a_stream_trains_like_an_array_of_many_batches(tmp_path, digits):
    path = tmp_path / "digits.npy"
    np.save(path, digits.x[:800].flatten(1).numpy())
    streamed = load(path, max_bytes=1000)
    assert type(streamed).__name__ == "Streamed"
    options = {"latent_dim": 4, "hidden": (32,), "epochs": 8, "batch_size": 64, "threads": 1}
    x = digits.x[:800].flatten(1)
    rebuilt = [fit(s, "ae", **options).model.reconstruct(x) for s in (streamed, load(path))]
    # They are split and shuffled in ways of their own.
    errors = [(x - x_hat).square().mean().item() for x_hat in rebuilt]
    assert errors[0] == pytest.approx(errors[1], rel=0.05)
    assert errors[0] < 0.9 * x.var(0, unbiased=False).mean()
