"""Clusters found without labels: NMI and accuracy of vade, mog-vae and joint-vae, and of k-means.

Each model is trained on the training part with as many clusters as there are classes; a datum's
cluster is the likeliest, and all data of the set are judged, for no label takes part in training.
Accuracy is that of the best matching of clusters and classes. Usage:

    python benchmarks/clusters.py [--data digits --epochs 100 --seeds 0,1,2 --only vade]
"""

from __future__ import annotations

import argparse
from statistics import mean
from typing import Any

import numpy as np
import torch
from measuring import finish, table
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

import isthmus
from isthmus.data import Source, load
from isthmus.posteriors import JointPosterior
from isthmus.priors import MixturePrior

Labels = NDArray[np.int64]
METHODS = ("k-means", "vade", "vade without pretraining", "mog-vae", "joint-vae")
OPTIONS: dict[str, dict[str, Any]] = {"vade without pretraining": {"pretraining": 0.0}}
SETTINGS: dict[str, Any] = {"latent_dim": 10, "network": "mlp", "hidden": (256, 128), "threads": 1}


def everything(source: Source) -> tuple[torch.Tensor, Labels]:
    """All data (N, *D) and their labels (N,)."""
    batches = list(source.chunks(4096))
    labels = [b.labels for b in batches if b.labels is not None]
    return torch.cat([b.x for b in batches]), torch.cat(labels).numpy()


def assigned(method: str, source: Source, x: torch.Tensor, seed: int, epochs: int) -> Labels:
    """The cluster (N,) of each datum."""
    classes = len(source.spec.classes) or 10
    if method == "k-means":
        rows = x.flatten(1).numpy()
        return np.asarray(KMeans(classes, n_init=10, random_state=seed).fit_predict(rows))
    options = {**SETTINGS, **OPTIONS.get(method, {})}
    run = isthmus.fit(source, method.split()[0], epochs=epochs, seed=seed, patience=0, **options)
    model = run.model
    if isinstance(model.posterior, JointPosterior):
        return model.encode(x, "argmax")[:, -classes:].argmax(1).numpy()
    if not isinstance(model.prior, MixturePrior):
        raise SystemExit(f"{method} has no clusters.")
    with torch.no_grad():
        q = model.infer(model.scaling(x))
        return model.prior.clusters(q).argmax(1).numpy()


def accuracy(labels: Labels, clusters: Labels) -> float:
    """The share of data whose cluster is matched with their class, under the best matching."""
    counts = np.zeros((clusters.max() + 1, labels.max() + 1))
    np.add.at(counts, (clusters, labels), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default=";".join(METHODS))
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    given = parser.parse_args()
    epochs = 1 if given.quick else given.epochs
    source = load(given.data)
    x, labels = everything(source)
    rows, values = [], {}
    for method in given.only.split(";"):
        found = []
        for seed in map(int, given.seeds.split(",")):
            clusters = assigned(method, source, x, seed, epochs)
            nmi = float(normalized_mutual_info_score(labels, clusters))
            found.append((nmi, accuracy(labels, clusters), len(np.unique(clusters))))
            print(method, seed, found[-1], flush=True)
        shown = [
            f"{mean(some):.2f} ({min(some):.2f}–{max(some):.2f})"
            for some in list(zip(*found, strict=True))[:2]
        ]
        rows.append((method, *shown, ", ".join(str(one[2]) for one in found)))
        values[method] = found
    heads = ("method", "NMI, mean (min–max)", "accuracy", "clusters in use")
    alone = "" if ";" in given.only else f"-{given.only}"
    name = f"clusters-{given.data}{alone}"
    finish(name, table(heads, rows), {"options": vars(given), "found": values}, given.quick)


if __name__ == "__main__":
    main()
