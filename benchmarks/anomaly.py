"""Outlier detection on tables, semi-supervised: half of the usual rows train, the rest is judged.

    ISTHMUS_DATA=FOLDER python benchmarks/anomaly.py [--seeds 5] [--pyod-python PATH]
    ISTHMUS_DATA=FOLDER python benchmarks/anomaly.py --seeds 1 --recipes vae ae dae …
    ISTHMUS_DATA=FOLDER python benchmarks/anomaly.py --first 5 --seeds 20 [--pyod-python PATH]

Each recipe is asked by every criterion that it can answer, with the defaults of `OutlierDetector`.

Each seed draws another half of the usual rows to train on; the other half and all outliers are the
test, columns are standardised by the training half, and the figure is the area under the ROC curve
in percent. The sets are the files anomaly_*.npz of the folder, each with X and y (1 for outliers).

The default of `OutlierDetector` is the recipe ae with the criterion ensemble. The recipe was vae at
first; when figures here had been seen, the choice between the two was put to nine other problems.
The criterion was at first the fifth nearest reconstruction, by argument, before any figure here was
seen; the five nearest training rows and the five nearest reconstructions then took its place, by 45
other tables (anomaly_default.py), before they were run here. Widths, steps and the five were not
tuned on these sets.

The ensemble was chosen on these sets as well, though on other halves of their rows. Of the fourth
list of anomaly_default.py it was the only one not worse on the 45 tables than the default until
then by more than a standard error (-.04 ± .20). Before it was run here it was decided: if its mean
over these four sets is higher on seeds 0 to 4 it becomes the default, and its figure is that of
seeds 5 to 24.

On these, too, `vae latent` is held against the others: on seeds 0 to 4 it was the best of all our
detectors at default settings, which can be said of one only after the fact.

With --pyod-python, an interpreter that has pyod runs its VAE (encoder 4d-2d-d, latent 2, as in the
benchmark of 2305.18593), AutoEncoder and PCA on the same rows.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Contender, finish, parsed, table
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from isthmus.estimators import OutlierDetector
from isthmus.estimators.answers import smallest
from isthmus.metrics import auc
from isthmus.outliers import SCORES, needs_density

DEFAULT, BEFORE, PICKED = "ae ensemble", "ae neighbours", "vae latent"
PEERS = ["IsolationForest", "kNN (k = 5)", "pyod VAE"]
RECIPES = ["vae", "ae"]


def split(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that train, half of the usual ones, and all others."""
    usual = np.random.default_rng(seed).permutation(np.nonzero(y == 0)[0])
    train, rest = usual[: len(usual) // 2], usual[len(usual) // 2 :]
    return train, np.concatenate([rest, np.nonzero(y)[0]])


def classical(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How unusual the test rows are to methods without a network."""
    distances, _ = NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)
    return {
        "kNN (k = 5)": distances[:, -1],
        "IsolationForest": -IsolationForest(random_state=seed).fit(train).score_samples(test),
        "PCA half, error": half_error(train, test),
    }


def half_error(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The squared error of as many principal components as the detectors' codes have numbers."""
    components = PCA(max(train.shape[1] // 2, 1)).fit(train)
    rebuilt = components.inverse_transform(components.transform(test))
    error: np.ndarray = np.square(test - rebuilt).sum(1)
    return error


class Once:
    """A trained estimator that says log p(x) of the same rows once: three criteria ask for it."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._said: dict[bytes, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        key = X.tobytes()
        if key not in self._said:
            self._said[key] = self._estimator.score_samples(X)
        return self._said[key]


def ours(
    recipes: Sequence[str], train: np.ndarray, test: np.ndarray, seed: int, epochs: int | None
) -> dict[str, np.ndarray]:
    """How unusual the test rows are by every criterion; one training serves all of a recipe."""
    found = {}
    for recipe in recipes:
        detector = OutlierDetector(
            recipe, epochs=epochs, threads=1, standardise=False, random_state=seed
        ).fit(train)
        estimator: Any = Once(detector.autoencoder_)
        for entry in SCORES:
            if needs_density(entry.factory) and not smallest(recipe).posterior.has_density:
                continue
            score = entry.factory().fit(estimator, train)
            found[f"{recipe} {entry.name}"] = -score.usual(estimator, test)
    return found


def measure(
    path: Path, seed: int, options: argparse.Namespace, pyod: Contender | None
) -> dict[str, float]:
    """The area under the ROC curve of every method, in percent."""
    stored = np.load(path)
    X, y = stored["X"], stored["y"]
    train, test = split(y, seed)
    scaler = StandardScaler().fit(X[train])
    known, asked = scaler.transform(X[train]), scaler.transform(X[test])
    scores = classical(known, asked, seed)
    scores |= ours(options.recipes, known, asked, seed, options.epochs)
    if pyod is not None:
        job = {"path": str(path), "seed": seed, "train": train.tolist(), "test": test.tolist()}
        scores |= {f"pyod {name}": np.array(v) for name, v in pyod.measure(job).items()}
    return {name: 100 * auc(score, y[test]) for name, score in scores.items()}


def seeds_of(path: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Method -> the figure of each seed on one set."""
    results: dict[str, list[float]] = {}
    name = path.stem.removeprefix("anomaly_")
    with ExitStack() as stack:
        python, pyod = options.pyod_python, None
        if python:
            pyod = stack.enter_context(Contender(python, "pyod_scores.py", 1))
        for seed in range(options.first, options.first + options.seeds):
            started = time.perf_counter()
            found = measure(path, seed, options, pyod)
            for method, value in found.items():
                results.setdefault(method, []).append(value)
            shown = ", ".join(f"{method} {value:.1f}" for method, value in found.items())
            seconds = time.perf_counter() - started
            print(f"{name} seed {seed} ({seconds:.0f} s): {shown}", flush=True)
    return results


def gaps(results: dict[str, dict[str, list[float]]]) -> str:
    """How far some of our detectors lie above others: means of the sets, paired by seed."""
    by_seed = {m: np.mean(list(of.values()), 0) for m, of in results.items()}
    peers = [peer for peer in PEERS if peer in by_seed]

    def above(method: str, peer: str) -> str:
        gap = by_seed[method] - by_seed[peer]
        error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.nan
        return f"{gap.mean():+.2f} ± {error:.2f}, {(gap > 0).sum()} of {len(gap)}"

    rows = [
        [m, *(above(m, peer) for peer in peers)] for m in (DEFAULT, BEFORE, PICKED) if m in by_seed
    ]
    return table(["difference, seeds above", *(f"less {peer}" for peer in peers)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--sets", nargs="*", help="Of anomaly_NAME.npz; all in the folder if none.")
    parser.add_argument("--epochs", type=int, help="Of our models; their default if none.")
    parser.add_argument("--jobs", type=int, default=1, help="Sets that are measured at a time.")
    parser.add_argument("--pyod-python", help="An interpreter that has pyod.")
    options = parsed(parser, seeds=1, sets=["breastw"], epochs=2)
    folder = Path(os.environ["ISTHMUS_DATA"])
    paths = sorted(folder.glob("anomaly_*.npz"))
    if options.sets:
        paths = [folder / f"anomaly_{name}.npz" for name in options.sets]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        by_set = list(pool.map(seeds_of, paths, repeat(options)))
    names = [path.stem.removeprefix("anomaly_") for path in paths]
    results = {
        method: {name: found[method] for name, found in zip(names, by_set, strict=True)}
        for method in by_set[0]
    }
    sets = list(next(iter(results.values())))
    ranked = sorted(results, key=lambda m: -np.mean([results[m][s] for s in sets]))
    rows = [
        [
            f"**{method}**" if method == DEFAULT else method,
            *(f"{np.mean(v):.1f} ± {np.std(v):.1f}" for v in results[method].values()),
            f"{np.mean([results[method][s] for s in sets]):.1f}",
        ]
        for method in ranked
    ]
    text = table(["method", *sets, "mean"], rows) + "\n\n" + gaps(results)
    name = "anomaly" if options.recipes == RECIPES else "anomaly-recipes"
    name += f"-from-{options.first}" if options.first else ""
    finish(name, text, {"auc": results}, options.quick)


if __name__ == "__main__":
    main()
