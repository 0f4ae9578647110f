"""What it is worth that a decoder begins at the mean of the data (`isthmus.training.start`).

    ISTHMUS_DATA=FOLDER python benchmarks/start.py [--seeds 2]

The recipe `vae` with 16 latents and default settings, with the start and without (PyTorch's weights
as they are drawn), everything else alike: held-out bounds in nats per datum, in scaled units, after
training and half-way. MNIST: 6,000 images, greys above a uniform number drawn once; newsgroups: all
training texts as counts of 1,995 words; digits: those that scikit-learn ships.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from measuring import finish, parsed, table
from scipy import sparse

from isthmus.data import Source, load
from isthmus.fitting import Split, fit
from isthmus.recipes import build_recipe

TASKS: dict[str, dict[str, Any]] = {
    "digits": {"epochs": 30},
    "mnist, fully connected": {"epochs": 10, "network": "mlp"},
    "mnist, fully connected, tanh": {"epochs": 10, "network": "mlp", "activation": "tanh"},
    "newsgroups": {"epochs": 5},
}
ROWS = 6_000


def data(task: str) -> Source:
    """What a task is asked of."""
    if task == "digits":
        return load("digits")
    folder = Path(os.environ["ISTHMUS_DATA"])
    if task == "newsgroups":
        return load(sparse.load_npz(folder / "newsgroups20_train.npz"), kind="counts")
    with np.load(folder / "mnist.npz") as stored:
        greys = stored["train_images"][:ROWS] / 255.0
    return load(greys > np.random.default_rng(0).random(greys.shape))


def bounds(task: str, started: bool, seed: int, quick: bool) -> tuple[float, float]:
    """The held-out loss half-way and the best one."""
    source, options = data(task), dict(TASKS[task])
    epochs = options.pop("epochs")
    torch.manual_seed(seed)
    built = build_recipe("vae", source.spec, latent_dim=16, **options)
    built.model.decoder.fresh = started
    run = fit(
        source,
        built.model,
        objective=built.objective,
        split=Split(seed),
        seed=seed,
        epochs=1 if quick else epochs,
        threads=1,
        patience=0,
        evaluations=10,
    )
    found = [row["validation/loss"] for row in run.history if "validation/loss" in row]
    return found[len(found) // 2], min(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    options = parsed(parser, seeds=1)
    values: dict[str, Any] = {}
    rows = []
    for task in TASKS:
        found = {
            started: [bounds(task, started, seed, options.quick) for seed in range(options.seeds)]
            for started in (False, True)
        }
        values[task] = {"drawn": found[False], "mean": found[True]}
        for place, when in enumerate(("half-way", "best")):
            drawn, begun = ([run[place] for run in found[how]] for how in (False, True))
            rows.append(
                (
                    task,
                    when,
                    " ".join(f"{v:.1f}" for v in drawn),
                    " ".join(f"{v:.1f}" for v in begun),
                    f"{mean(drawn) - mean(begun):.1f}",
                )
            )
        print(rows[-1], flush=True)
    text = table(("data", "when", "as drawn", "at the mean", "gain"), rows)
    finish("start", text, values, options.quick)


if __name__ == "__main__":
    main()
