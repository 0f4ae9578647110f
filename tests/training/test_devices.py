"""Devices by name, random states, and two processes that train as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

import isthmus
from isthmus.errors import OptionError
from isthmus.fitting import fit
from isthmus.training.devices import (
    Processes,
    autocast,
    choose_device,
    own_random_state,
    processes,
    random_states,
    restore_random_states,
)
from isthmus.training.settings import training_settings

# 224 training data make 7 steps of 2 x 16 or 1 x 32, and an odd number of batches of 16.
SHARED = {"threads": 1, "epochs": 3, "lr": 1e-3, "seed": 2, "patience": 0}
RECIPE = {"hidden": (16,), "latent_dim": 3}
ROWS = 330


def close(one, other, atol=1e-5):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=atol, rtol=1e-4)


@pytest.mark.parametrize("recipe", ["ae", "adversarial"])
def test_two_processes_are_one_with_twice_the_batch(
    recipe, start_two, start, tmp_path, timeless, digits
):
    options = {**SHARED, **(RECIPE if recipe == "ae" else {})}
    both, alone = tmp_path / "both", tmp_path / "alone"
    ranks = start_two(
        recipe=recipe, rows=ROWS, weights=str(tmp_path / "weights"),
        options={**options, "batch_size": 16, "folder": both},
    )  # fmt: skip
    assert [p.exitcode for p in ranks] == [0, 0]
    one, other = (load_file(f"{tmp_path / 'weights'}.{rank}") for rank in range(2))
    for name in one:
        assert one[name].equal(other[name])
    run = start(
        recipe=recipe, rows=ROWS, options={**options, "batch_size": 32, "folder": alone}
    )  # fmt: skip
    run.join(60)
    single = load_file(alone / "model.safetensors")
    if recipe == "ae":
        # The critic's draws of the prior are each process's own; the deterministic model has none.
        close(single, one)
    close(load_file(both / "model.safetensors"), one, atol=0.0)
    records, alone_records = timeless(both), timeless(alone)
    assert [r["step"] for r in records] == [r["step"] for r in alone_records]
    assert records[-1]["step"] == 3 * 7
    for mine, theirs in zip(records, alone_records, strict=True):
        if recipe == "ae":
            assert mine == {k: pytest.approx(v, rel=1e-4) for k, v in theirs.items()}


@pytest.mark.parametrize("recipe", ["vae", "adversarial"])
def test_two_killed_processes_resume_to_the_same_bits(recipe, start_two, tmp_path, timeless):
    options = {**SHARED, **(RECIPE if recipe == "vae" else {}), "batch_size": 16}
    options["checkpoint_seconds"] = 1e-3
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    job = {"recipe": recipe, "rows": ROWS}
    start_two(**job, options={**options, "folder": whole})
    ranks = start_two(
        **job, options={**options, "folder": killed}, die=("last.safetensors", 9, "after"),
        log=str(tmp_path / "log"),
    )  # fmt: skip
    assert ranks[0].exitcode == -signal.SIGKILL
    assert timeless(killed)[-1]["progress"] != 1.0
    ranks = start_two(
        **job, options={**options, "folder": killed, "resume": True},
        weights=str(tmp_path / "weights"),
    )  # fmt: skip
    assert [p.exitcode for p in ranks] == [0, 0]
    one, other = (load_file(f"{tmp_path / 'weights'}.{rank}") for rank in range(2))
    expected = load_file(whole / "model.safetensors")
    for name in expected:
        assert one[name].equal(other[name])
        assert one[name].equal(expected[name])
    assert timeless(killed) == timeless(whole)


def test_a_loss_that_breaks_in_one_process_stops_both(start_two, tmp_path):
    log = tmp_path / "log"
    ranks = start_two(
        recipe="vae", rows=ROWS, log=str(log),
        options={**SHARED, **RECIPE, "batch_size": 16, "lr": 1e6, "folder": tmp_path / "run"},
    )  # fmt: skip
    assert [p.exitcode for p in ranks] == [1, 1]
    lines = [line for line in log.read_text().splitlines() if line.startswith("The term")]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    isthmus.load(tmp_path / "run")


def test_torchrun_starts_it(tmp_path):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "isthmus.cli.main", "fit", "digits", "--recipe", "ae", "--latent-dim", "2",
        "--epochs", "1", "--threads", "1", "-o", str(tmp_path / "run"),
    ]  # fmt: skip
    log = tmp_path / "log"
    with log.open("w") as out:
        launched = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        try:
            assert launched.wait(60) == 0, log.read_text()[-2000:]
        finally:
            if launched.poll() is None:
                os.killpg(launched.pid, signal.SIGKILL)
                launched.wait()
    assert isthmus.load(tmp_path / "run").latent_shape == (2,)
    assert (tmp_path / "run" / "README.md").exists()


def test_devices_are_chosen_by_name(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    for name in ("gpu", "cuda:99", "cpu:x", "meta"):
        with pytest.raises(OptionError, match=f"device='{name}' is not to be had here") as caught:
            choose_device(name)
        assert "\n" not in str(caught.value)


def test_of_a_missing_device_only_the_first_sentence_is_passed_on(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("Could not run 'empty'. This could be because of many things. Or others")

    monkeypatch.setattr(torch, "zeros", refuse)
    with pytest.raises(
        OptionError, match=r"had here \(Could not run 'empty'\): use auto or cpu\.$"
    ):
        choose_device("cpu")


def test_the_device_of_a_setting_is_checked_before_anything_is_trained(table, tiny):
    with pytest.raises(OptionError, match="use auto or cpu"):
        fit(table, "ae", device="cuda:99", **tiny)


def test_alone_everything_is_its_own():
    group = Processes()
    t = torch.randn(3)
    assert group.leads
    assert group.agree(True) is True
    assert group.agree(2.5) == 2.5
    assert group.mean(t.clone()).equal(t)
    assert group.gather(t)[0].equal(t)


@pytest.mark.parametrize(("name", "backend"), [("cpu", "gloo"), ("cuda:1", "nccl")])
def test_the_group_knows_each_process_by_its_own_device(name, backend, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    device, begun = torch.device(name), []
    for call in ("barrier", "destroy_process_group"):
        monkeypatch.setattr(dist, call, lambda: None)
    monkeypatch.setattr(dist, "is_initialized", lambda: False)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "init_process_group", lambda *a, **k: begun.append((a, k)))
    with processes(device) as group:
        assert (group.rank, group.count, group.device) == (1, 2, device)
    bound = None if name == "cpu" else device
    assert begun == [((backend,), {"device_id": bound})]


def test_what_is_averaged_lies_on_the_groups_device(monkeypatch):
    # Losses that a checkpoint held, or no losses at all, are read to the CPU.
    seen = []
    monkeypatch.setattr(dist, "all_reduce", lambda t: seen.append(t.device.type))
    group = Processes(0, 2, torch.device("meta"))
    assert group.mean(torch.empty(0)).device.type == "meta"
    assert seen == ["meta"]


def test_a_random_state_of_its_own_is_given_back():
    before = torch.get_rng_state()
    with own_random_state(torch.device("cpu"), 7):
        drawn = torch.randn(3)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(7)
    assert torch.randn(3).equal(drawn)


def test_random_states_are_kept_by_rank():
    states = random_states(Processes())
    expected = torch.randn(4)
    restore_random_states(states, Processes())
    assert torch.randn(4).equal(expected)
    with pytest.raises(KeyError):
        restore_random_states(states, Processes(rank=1, count=2))


def test_bfloat16_is_a_context_around_the_networks():
    layer, x = torch.nn.Linear(3, 3), torch.randn(2, 3)
    cpu = torch.device("cpu")
    with autocast(training_settings(), cpu)():
        assert layer(x).dtype == torch.float32
    with autocast(training_settings(precision="bfloat16"), cpu)():
        assert layer(x).dtype == torch.bfloat16
