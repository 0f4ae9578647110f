"""Kill a run anywhere: its folder is valid, and resumed it ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

import isthmus
from isthmus.data import load
from isthmus.errors import RunError
from isthmus.fitting import fit
from isthmus.training import LAST

OPTIONS = {
    "hidden": (24,),
    "latent_dim": 3,
    "threads": 1,
    "epochs": 12,
    "batch_size": 64,
    "evaluations": 20,
    "checkpoint_seconds": 1e-3,
    "seed": 3,
}
ROWS = 600


def options_of(recipe: str) -> dict:
    """A model composed by hand takes no recipe options."""
    if recipe in ("adversarial", "hierarchical"):
        return {k: v for k, v in OPTIONS.items() if k not in ("hidden", "latent_dim")}
    return OPTIONS


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Folders of runs that were never killed, by recipe, made once each."""
    made = {}

    def of(recipe, start, **more):
        if recipe not in made:
            made[recipe] = tmp_path_factory.mktemp("reference") / recipe
            run = start(
                recipe=recipe, rows=ROWS, options={**options_of(recipe), "folder": made[recipe]}
            )
            run.join(60)
            assert run.exitcode == 0
        return made[recipe]

    return of


def assert_equal_runs(folder, reference, timeless):
    one, other = ((f / "model.safetensors").read_bytes() for f in (folder, reference))
    assert one == other
    history = timeless(folder)
    assert history == timeless(reference)
    assert len({(r["step"], "train/loss" in r) for r in history}) == len(history)
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("recipe", ["vae", "ae", "adversarial"])
def test_killed_at_random_moments(recipe, start, reference, tmp_path, timeless):
    whole = reference(recipe, start)
    folder, moments, kills = tmp_path / "run", random.Random(7), 0
    options = {**options_of(recipe), "folder": folder, "resume": True}
    while True:
        run = start(recipe=recipe, rows=ROWS, options=options)
        if kills < 6:
            while run.is_alive() and not (folder / "config.json").exists():
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, 0.3))
        else:
            run.join(60)
        if not run.is_alive():
            assert run.exitcode == 0
            break
        os.kill(run.pid, signal.SIGKILL)
        run.join()
        kills += 1
        if recipe != "adversarial":
            assert isthmus.load(folder).latent_shape == (3,)
    assert kills
    assert_equal_runs(folder, whole, timeless)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("file", "n"),
    [
        ("model.safetensors", 1),
        ("config.json", 1),
        ("history.jsonl", 1),
        ("last.safetensors", 1),
        ("model.safetensors", 3),
        ("last.safetensors", 4),
        ("README.md", 1),
    ],
)
def test_killed_around_every_write(file, n, when, start, reference, tmp_path, timeless):
    whole = reference("vae", start)
    job = {"recipe": "vae", "rows": ROWS}
    folder = tmp_path / "run"
    run = start(**job, options={**OPTIONS, "folder": folder}, die=(file, n, when))
    run.join(60)
    assert run.exitcode == -signal.SIGKILL
    assert (when == "before") == bool(list(folder.rglob("*.tmp")))
    if (folder / "config.json").exists():
        isthmus.load(folder)
    run = start(**job, options={**OPTIONS, "folder": folder, "resume": True})
    run.join(60)
    assert run.exitcode == 0
    if not (file == "model.safetensors" and n == 1):
        assert_equal_runs(folder, whole, timeless)
    assert (folder / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_after_a_checkpoint(number, start, reference, tmp_path, timeless):
    whole = reference("vae", start)
    folder = tmp_path / "run"
    # Steps between two readings are where a signal finds a run most often.
    options = {**OPTIONS, "folder": folder, "checkpoint_seconds": 1e-3}
    run = start(recipe="vae", rows=ROWS, options=options)
    while run.is_alive() and not (folder / LAST).exists():
        time.sleep(0.005)
    time.sleep(0.1)
    os.kill(run.pid, number)
    run.join(60)
    assert run.exitcode == 130
    isthmus.load(folder)
    run = start(recipe="vae", rows=ROWS, options={**options, "resume": True})
    run.join(60)
    assert run.exitcode == 0
    assert_equal_runs(folder, whole, timeless)


def test_a_stream_resumes_to_the_same_bits(start, tmp_path, timeless, digits):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pixels = digits.x[:900].flatten(1).numpy()
    path = tmp_path / "digits.parquet"
    pq.write_table(
        pa.table({f"p{i}": column for i, column in enumerate(pixels.T)}), path, row_group_size=100
    )
    job = {"recipe": "vae", "data": str(path), "max_bytes": 1000}
    folders = tmp_path / "whole", tmp_path / "killed"
    for folder, die in zip(folders, (None, ("last.safetensors", 6, "after")), strict=True):
        run = start(**job, options={**OPTIONS, "folder": folder}, die=die)
        run.join(60)
    assert run.exitcode == -signal.SIGKILL
    run = start(**job, options={**OPTIONS, "folder": folders[1], "resume": True})
    run.join(60)
    assert run.exitcode == 0
    assert_equal_runs(folders[1], folders[0], timeless)
    assert type(load(path, max_bytes=1000)).__name__ == "Streamed"
    losses = [r["validation/loss"] for r in timeless(folders[0]) if "validation/loss" in r]
    assert losses[-1] < losses[0] - 1


def test_early_stopping_is_resumed_where_it_stopped(start, tmp_path, timeless):
    options = {**OPTIONS, "lr": 0.3, "patience": 2, "epochs": 40}
    job = {"recipe": "vae", "rows": ROWS}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    start(**job, options={**options, "folder": whole}).join(60)
    history = timeless(whole)
    assert history[-1]["progress"] < 1
    # The last checkpoint but one is written with the patience spent; the last says "finished".
    written = 1 + len({r["step"] for r in history}) + 1
    run = start(
        **job, options={**options, "folder": killed}, die=("last.safetensors", written, "before")
    )
    run.join(60)
    assert run.exitcode == -signal.SIGKILL
    start(**job, options={**options, "folder": killed, "resume": True}).join(60)
    assert_equal_runs(killed, whole, timeless)


def test_a_cut_checkpoint_is_said_in_a_line(table, tiny, tmp_path):
    fit(table, "ae", folder=tmp_path / "run", **tiny)
    last = tmp_path / "run" / LAST
    content = last.read_bytes()
    for cut in (content[: len(content) // 2], b"", b"{}"):
        last.write_bytes(cut)
        with pytest.raises(
            RunError, match=r"last\.safetensors is cut or belongs to another"
        ) as caught:
            fit(table, "ae", folder=tmp_path / "run", resume=True, **tiny)
        assert "\n" not in str(caught.value)
    last.unlink()
    with pytest.raises(
        RunError, match=r"last\.safetensors is missing, so this run cannot be resumed"
    ):
        fit(table, "ae", folder=tmp_path / "run", resume=True, **tiny)


def test_a_finished_run_resumed_is_the_same_run(table, tiny, tmp_path):
    folder = tmp_path / "run"
    first = fit(table, "ae", folder=folder, **tiny)
    files = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    again = fit(table, "ae", folder=folder, resume=True, **tiny)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == files
    assert again.history == first.history
    x = table.x[:5]
    assert again.model.encode(x).equal(first.model.encode(x))
    assert again.notes == first.notes
