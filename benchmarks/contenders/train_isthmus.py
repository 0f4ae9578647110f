"""Isthmus' recipe vae, trained as users train it.

usage: train_isthmus.py DATA.npy BATCH EPOCHS THREADS PRECISION

The seconds are those of the whole call of `train`: schedules, meter, best weights and one
evaluation, on a hundred data, included.
"""

from __future__ import annotations

import sys

import numpy as np
from serving import Stopwatch, serve

from isthmus.data import load
from isthmus.recipes import build_recipe
from isthmus.training import TrainingSettings, train

path, batch, epochs, threads = sys.argv[1], *map(int, sys.argv[2:5])
data = load(np.load(path), kind="table")
held_out = load(np.load(path)[:100], kind="table", support="binary")
settings = TrainingSettings(
    epochs=epochs,
    batch_size=batch,
    lr=1e-3,
    threads=threads,
    precision=sys.argv[5],  # type: ignore[arg-type]
    evaluations=1,
    device="cpu",
)


def run() -> dict[str, float]:
    built = build_recipe(
        "vae", data.spec, latent_dim=16, hidden=(512,), activation="relu", kl_warmup=0.0
    )
    watch = Stopwatch()
    with watch:
        trained = train(built.model, built.objective, data, held_out, settings)
    last = [r for r in trained.history if "train/loss" in r][-1]
    return {"wall": watch.wall / epochs, "cpu": watch.cpu / epochs, "loss": last["train/loss"]}


serve(run)
