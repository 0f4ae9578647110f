"""Which recipe `OutlierDetector` takes by default, on data other than those of anomaly.py.

    python benchmarks/anomaly_default.py [--seeds 2]

One class of a data set of scikit-learn is usual and all others are not: each class of wine, the
benign ones of breast cancer, and the digits 0 to 4. Half of the usual rows train, as in anomaly.py.
The recipe with the higher mean over all sets is the default; ae and vae are asked, both with the
criterion neighbours. kNN and an isolation forest stand beside them.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from anomaly import split
from measuring import finish, parsed, table
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from isthmus.estimators import OutlierDetector
from isthmus.metrics import auc

LOADERS = {"wine": load_wine, "breast-cancer": load_breast_cancer, "digits": load_digits}
SETS = [("wine", k) for k in range(3)] + [("breast-cancer", 1)] + [("digits", k) for k in range(5)]
RECIPES = ("vae", "ae")


def measure(name: str, usual: int, seed: int) -> dict[str, float]:
    """The area under the ROC curve of every method, in percent."""
    X, labels = LOADERS[name](return_X_y=True)
    y = labels != usual
    train, test = split(y, seed)
    scaler = StandardScaler().fit(X[train])
    known, asked = scaler.transform(X[train]), scaler.transform(X[test])
    distances, _ = NearestNeighbors(n_neighbors=5).fit(known).kneighbors(asked)
    scores = {
        "kNN (k = 5)": distances[:, -1],
        "IsolationForest": -IsolationForest(random_state=seed).fit(known).score_samples(asked),
    }
    for recipe in RECIPES:
        detector = OutlierDetector(recipe, "neighbours", threads=1, random_state=seed)
        scores[f"{recipe} neighbours"] = -detector.fit(X[train]).score_samples(X[test])
    found = {method: 100 * auc(score, y[test]) for method, score in scores.items()}
    print(name, usual, seed, {k: round(v, 1) for k, v in found.items()}, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="Fits at a time.")
    options = parsed(parser, seeds=1)
    rounds = [(n, k, seed) for n, k in SETS for seed in range(options.seeds)]
    if options.quick:
        rounds = rounds[:1]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        found = list(pool.map(measure, *zip(*rounds, strict=True)))
    results = {method: [f[method] for f in found] for method in found[0]}
    rows = [
        [method, f"{np.mean(v):.1f}", f"{np.min(v):.1f}"]
        for method, v in sorted(results.items(), key=lambda pair: -np.mean(pair[1]))
    ]
    text = table(["method", "mean over sets and seeds", "least"], rows)
    finish("anomaly_default", text, {"rounds": rounds, "auc": results}, options.quick)


if __name__ == "__main__":
    main()
