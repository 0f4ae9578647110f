from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus as package
from isthmus.fitting import Run

QUICK = ("--threads", 1, "--epochs", 1, "--device", "cpu", "--hidden", 16, "--latent-dim", 2)
ENTRY = "from isthmus.cli.main import main; main()"


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_way_to_set_a_setting_reaches_the_run(isthmus, here):
    Path("c.toml").write_text("[model]\nrecipe = 'beta-vae'\nbeta = 2\n[training]\nclip = 1.5\n")
    said = isthmus(
        "fit", "digits", "-c", "c.toml", "-s", "training.weight_decay=0", "-s", "model.beta=3",
        "--seed", 3, "--lr", 0.01, "--batch-size", 300, *QUICK, "-o", "run",
    ).stdout  # fmt: skip
    run = Run.read("run")
    assert (run.recipe, run.options) == (
        "beta-vae",
        {"beta": 3.0, "hidden": (16,), "latent_dim": 2} | {"hidden": run.options["hidden"]},
    )
    assert list(run.options["hidden"]) == [16]
    settings = run.settings
    assert (settings.seed, settings.lr, settings.batch_size) == (3, 0.01, 300)
    assert (settings.weight_decay, settings.clip, settings.threads) == (0.0, 1.5, 1)
    loss = min(r["validation/loss"] for r in run.history if "validation/loss" in r)
    assert "Wrote run: " in said
    assert f"held-out loss {loss:.4f} nats" in said
    assert "isthmus encode run digits" in said
    assert Path("run/report.html").read_text().lstrip().lower().startswith("<!doctype html")


def test_the_default_folder_is_free(isthmus, here):
    for name in ("vae-digits", "vae-digits-2"):
        assert f"Wrote runs/{name}: " in isthmus("fit", "digits", *QUICK).stdout
        assert Run.read(Path("runs") / name).recipe == "vae"


def test_a_finished_run_resumed_stays_as_it_is(isthmus, refused, here):
    isthmus("fit", "digits", *QUICK, "-o", "run")
    before = contents(here)
    said = isthmus("fit", "digits", *QUICK, "-o", "run", "--resume").stdout
    assert "finished already" in said
    assert contents(here) == before
    assert "--resume" in refused("fit", "digits", *QUICK, "-o", "run").stderr
    other = refused("fit", "digits", *QUICK, "--lr", 0.5, "-o", "run", "--resume")
    assert "lr" in other.stderr
    assert contents(here) == before


def test_resuming_without_a_folder_takes_the_latest(isthmus, refused, here):
    assert "-o" in refused("fit", "digits", *QUICK, "--resume").stderr
    isthmus("fit", "digits", *QUICK)
    assert "runs/vae-digits was finished" in isthmus("fit", "digits", *QUICK, "--resume").stdout


def test_a_parquet_file_and_a_folder_of_pictures(isthmus, here):
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    pq.write_table(pa.table({c: random.normal(size=30) for c in "abc"}), "t.parquet")
    isthmus("fit", "t.parquet", "--columns", "c,a", *QUICK, "-o", "t")
    assert [c.name for c in Run.read("t").spec.columns] == ["c", "a"]
    Path("pictures").mkdir()
    for i in range(12):
        pixels = random.integers(0, 256, (9, 7, 3), np.uint8)
        Image.fromarray(pixels).save(f"pictures/{i}.png")
    isthmus("fit", "pictures", "--grey", "--image-size", "8x6", *QUICK, "-o", "p")
    assert Run.read("p").spec.shape == (1, 8, 6)
    isthmus("sample", "p", "-n", 4, "-o", "s.png")


def test_what_was_handled_is_said(isthmus, here):
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    x[:, 1] = 2.0
    np.save("x.npy", x)
    result = isthmus("fit", "x.npy", "--threads", 1, "--epochs", 1, "--latent-dim", 5, "-o", "run")
    assert "note: 1 column has the same value in every row" in result.stderr
    assert "squeezes nothing" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "cqu"], "cqu"),
        (["--likelihood", "gausian"], "Did you mean 'gaussian"),
        (["--network", "cnv"], "Did you mean 'conv'"),
        (["--latent-dim", 0], "latent_dim"),
        (["--epochs", 3, "--minutes", 1], "one budget"),
        (["--batch-size", 0], "batch_size"),
        (["--precision", "half"], "precision"),
        (["--hidden", "wide"], "model.hidden='wide'"),
        (["-s", "training.lrr=1"], "Did you mean 'lr'"),
        (["-c", "none.yaml"], "no config file none.yaml"),
        (["--label", "y"], "label"),
    ],
)
def test_a_refused_run_leaves_nothing(options, said, refused, here):
    assert said in refused("fit", "digits", *options).stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n", "one row"),
        ("a,b\n1,2\n3,\n5,6\n7,8\n", "row 1"),
        ("a,b\n1,2\n3,inf\n5,6\n7,8\n", "row 1"),
        ("a,b\n1,2\n3,red\n5,6\n7,8\n", "'red'"),
    ],
)
def test_data_that_cannot_be_used(text, said, refused, here):
    Path("x.csv").write_text(text)
    assert said in refused("fit", "x.csv", *QUICK).stderr
    assert [p.name for p in here.iterdir()] == ["x.csv"]


def test_an_unfinished_run_is_used_with_a_note(isthmus, here, monkeypatch):
    def stopped(*arguments, **options):
        raise RuntimeError("stopped")

    fit = ("fit", "digits", *QUICK, "-o", "run")
    with monkeypatch.context() as patched:
        patched.setattr("isthmus.fitting.train", stopped)
        patched.setattr("isthmus.cli.places.clean_start", lambda *_: nullcontext())
        with pytest.raises(RuntimeError):
            isthmus(*fit)
    said = isthmus("encode", "run", "digits", "-o", "early.npy").stderr
    assert "the training in run is not finished" in said
    isthmus(*fit, "--resume")
    assert "not finished" not in isthmus("encode", "run", "digits", "-o", "codes.npy").stderr


def test_images_beyond_one_are_sampled_to_a_file_that_holds_them(isthmus, here):
    np.save("x.npy", np.random.default_rng(0).normal(size=(20, 1, 8, 8)).astype(np.float32))
    said = isthmus("fit", "x.npy", *QUICK, "-o", "run").stdout
    (line,) = [line.strip() for line in said.splitlines() if "isthmus sample" in line]
    isthmus(*line.split()[1:])
    assert np.load("samples.npy").shape == (64, 1, 8, 8)


def test_ctrl_c_leaves_a_run_that_resumes(here):
    command = ["fit", "digits", "--threads", "1", "--hidden", "8", "-s", "training.log_every=1"]
    source = str(Path(package.__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source}
    running = subprocess.Popen(
        [sys.executable, "-c", ENTRY, *command, "--epochs", "5000"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    history = here / "runs" / "vae-digits" / "history.jsonl"
    deadline = time.monotonic() + 60
    while not (history.exists() and history.stat().st_size) and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    last = json.loads(history.read_text().splitlines()[-1])
    (line,) = [line for line in said.splitlines() if line.startswith("stopped")]
    assert line.startswith(f"stopped at step {last['step']}; resume with: isthmus fit digits")
    again = shlex.split(line.partition("isthmus ")[2])
    assert again[-3:] == ["-o", "runs/vae-digits", "--resume"]
    # The same command goes on at once; it is stopped again, further on.
    running = subprocess.Popen(
        [sys.executable, "-c", ENTRY, *again], stderr=subprocess.PIPE, text=True, env=environment
    )
    size = history.stat().st_size
    while history.stat().st_size <= size and time.monotonic() < deadline + 60:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(history.read_text().splitlines()[-1])["step"] > last["step"]


def test_pictures_of_any_size_are_trained_on_by_their_crops(isthmus, refused, here):
    Path("photos").mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (10 + i, 20 - i, 3), np.uint8)
        Image.fromarray(pixels).save(f"photos/{i:02d}.png")
    isthmus(
        "fit", "photos", "--crop", "8x9", "--flip", *QUICK, "-s", "training.ema=0.9",
        "-s", "training.train=decoder,posterior", "-o", "run",
    )  # fmt: skip
    run = Run.read("run")
    assert run.spec.shape == (3, 8, 9)
    assert (run.settings.ema, run.settings.train) == (0.9, ("decoder", "posterior"))
    assert run.reading.options == {"crop": [8, 9], "flip": True}
    said = isthmus("encode", "run", "photos", "-o", "codes.npy").stderr
    assert "crop 8x9" in said
    assert np.load("codes.npy").shape == (12, 2)
    said = refused("fit", "photos", "--crop", 12, *QUICK, "-o", "other").stderr
    assert "00.png of 20 x 10 (width x height) cannot be cropped to 12 x 12: lower crop" in said
    assert not Path("other").exists()
