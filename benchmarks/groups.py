"""Digits grouped by class: what ml-vae and group-vae put into the content and into the style.

    python benchmarks/groups.py [--seeds 2] [--epochs 60]

The groups are the classes of the training digits. Held-out digits (a fifth) are encoded alone; a
nearest-neighbour classifier (5 neighbours) of the training codes then tells their class from the
content, from the style, and from a plain vae's code of the content's width.
"""

from __future__ import annotations

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from isthmus.estimators import Autoencoder

WIDTH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    for seed in range(options.seeds):
        rows = train_test_split(X / 16.0, y, test_size=360, random_state=seed, stratify=y)
        for recipe in ("ml-vae", "group-vae", "vae"):
            width = WIDTH if recipe == "vae" else 2 * WIDTH
            told = None if recipe == "vae" else rows[2].astype(str)
            model = Autoencoder(
                recipe, width, epochs=options.epochs, threads=1, random_state=seed
            ).fit(rows[0], condition=told)
            train, test = model.transform(rows[0]), model.transform(rows[1])
            for part, start in (("content", 0), ("style", WIDTH))[: width // WIDTH]:
                cut = slice(start, start + WIDTH)
                judge = KNeighborsClassifier(5).fit(train[:, cut], rows[2])
                score = judge.score(test[:, cut], rows[3])
                name = "code" if recipe == "vae" else part
                print(f"seed {seed}: {recipe} {name} {score:.3f}", flush=True)


if __name__ == "__main__":
    main()
