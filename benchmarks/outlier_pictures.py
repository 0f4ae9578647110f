"""The two default criteria of outliers among pictures: whether a forest helps there as well.

    ISTHMUS_DATA=FOLDER python benchmarks/outlier_pictures.py

Of the small digits (8 x 8) and of MNIST (28 x 28), pixels standardised by the training rows. Each
of the digits 0 to 4 once is unusual among all others, and once is the usual one among all others.
Half of the usual rows train (750 at most, 1,500 where one digit is unusual); the other half and 500
(700) unusual ones are judged. The figure is the area under the ROC curve in percent, the mean of
the five digits.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from anomaly import split
from measuring import finish, parsed, table
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from isthmus.estimators import OutlierDetector
from isthmus.metrics import auc
from isthmus.outliers import SCORES

CRITERIA = ("neighbours", "ensemble", "reconstruction")


def pictures(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows (N, F) of pixels with their digits (N,)."""
    digits, mnist = load_digits(), np.load(folder / "mnist.npz")
    rows = mnist["train_images"].reshape(len(mnist["train_labels"]), -1)
    return {
        "digits": (digits.data, digits.target),
        "MNIST": (rows.astype(float), mnist["train_labels"]),
    }


def drawn(odd: np.ndarray, usual: int, unusual: int, seed: int) -> np.ndarray:
    """Which rows are looked at: so many usual ones and so many others, at most."""
    chance = np.random.default_rng(seed)
    parts = zip((~odd, odd), (usual, unusual), strict=True)
    return np.concatenate([chance.permutation(np.flatnonzero(m))[:most] for m, most in parts])


def measure(X: np.ndarray, odd: np.ndarray, seed: int, epochs: int | None) -> dict[str, float]:
    """The area under the ROC curve of every criterion, in percent."""
    train, test = split(odd.astype(int), seed)
    scaler = StandardScaler().fit(X[train])
    known, asked = scaler.transform(X[train]), scaler.transform(X[test])
    detector = OutlierDetector(epochs=epochs, threads=1, standardise=False, random_state=seed)
    model = detector.fit(known).autoencoder_
    scores = {n: SCORES.create(n).fit(model, known).usual(model, asked) for n in CRITERIA}
    scores["IsolationForest"] = IsolationForest(random_state=seed).fit(known).score_samples(asked)
    return {name: 100 * auc(-score, odd[test]) for name, score in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--epochs", type=int, help="Of the models; their default if none.")
    options = parsed(parser, digits=[0], epochs=1)
    found: dict[str, dict[str, list[float]]] = {}
    for name, (X, y) in pictures(Path(os.environ["ISTHMUS_DATA"])).items():
        for one in options.digits:
            for what, odd, usual, unusual in (
                (f"{name}, one digit unusual", y == one, 3000, 500),
                (f"{name}, one digit usual", y != one, 1500, 700),
            ):
                rows = drawn(odd, usual, unusual, one)
                by_criterion = measure(X[rows], odd[rows], one, options.epochs)
                print(what, one, by_criterion, flush=True)
                for criterion, value in by_criterion.items():
                    found.setdefault(what, {}).setdefault(criterion, []).append(value)
    methods = list(next(iter(found.values())))
    lines = [[what, *(f"{np.mean(of[m]):.1f}" for m in methods)] for what, of in found.items()]
    finish("outlier_pictures", table(["pictures", *methods], lines), {"auc": found}, options.quick)


if __name__ == "__main__":
    main()
