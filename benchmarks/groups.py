"""Digits grouped by class: what ml-vae and group-vae put into the content and into the style.

    python benchmarks/groups.py [--seeds 2] [--epochs 60]

The groups are the classes of the training digits. Held-out digits (a fifth) are encoded alone; a
nearest-neighbour classifier (5 neighbours) of the training codes then tells their class from the
content, from the style, and from a plain vae's code of the content's width.

    python benchmarks/groups.py --likelihood --first 2 --seeds 3 --epochs 40

says what their log p(x) of a digit alone falls short by, and where: 8 numbers, the splits of
`recipes.py`, 500 importance samples, as trained and after the encoder alone was trained as long
again on the bound of single digits, with the decoder as it was.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import isthmus
from isthmus.data import load
from isthmus.estimators import Autoencoder
from isthmus.fitting import Split
from isthmus.objectives import Elbo

WIDTH = 8
SAMPLES = 500


def told_apart(seed: int, epochs: int) -> None:
    """Print how well the class is told from the parts of a code."""
    X, y = load_digits(return_X_y=True)
    rows = train_test_split(X / 16.0, y, test_size=360, random_state=seed, stratify=y)
    for recipe in ("ml-vae", "group-vae", "vae"):
        width = WIDTH if recipe == "vae" else 2 * WIDTH
        told = None if recipe == "vae" else rows[2].astype(str)
        model = Autoencoder(recipe, width, epochs=epochs, threads=1, random_state=seed).fit(
            rows[0], condition=told
        )
        train, test = model.transform(rows[0]), model.transform(rows[1])
        for part, start in (("content", 0), ("style", WIDTH))[: width // WIDTH]:
            cut = slice(start, start + WIDTH)
            judge = KNeighborsClassifier(5).fit(train[:, cut], rows[2])
            score = judge.score(test[:, cut], rows[3])
            name = "code" if recipe == "vae" else part
            print(f"seed {seed}: {recipe} {name} {score:.3f}", flush=True)


def likelihoods(seed: int, epochs: int) -> None:
    """Print log p(x) of single held-out digits, before and after the encoder met such."""
    source, split = load("digits", condition="label"), Split(seed)
    settings = {"epochs": epochs, "split": split, "seed": seed, "threads": 1, "device": "cpu"}
    x = torch.cat([batch.x for batch in split.of(source)[2].chunks(4096)])
    for recipe in ("vae", "ml-vae", "group-vae"):
        run = isthmus.fit(source, recipe, latent_dim=WIDTH, **settings)
        before = run.model.log_likelihood(x, SAMPLES).mean()
        said = f"seed {seed}: {recipe} {before:.1f} nats"
        if recipe != "vae":
            parts = ("encoder", "posterior")
            run = isthmus.fit(source, run.model, objective=Elbo(), train=parts, **settings)
            said += f", {run.model.log_likelihood(x, SAMPLES).mean():.1f} with its encoder refitted"
        print(said, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--likelihood", action="store_true")
    options = parser.parse_args()
    measure = likelihoods if options.likelihood else told_apart
    for seed in range(options.first, options.first + options.seeds):
        measure(seed, options.epochs)


if __name__ == "__main__":
    main()
