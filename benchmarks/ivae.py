"""Identifiability on synthetic segments after the iVAE paper: MCC of ivae, vae and FastICA.

Sources are Gaussian with a variance in U(.5, 3) and a mean in U(-spread, spread) of their own in
each segment, mixed by a network of leaky ReLUs without loss of dimension; the condition is the
segment's number. The paper's own segments are 40 of 1,000 with 5 sources and spread 0. Usage:

    python benchmarks/ivae.py [--sources 2 --segments 20 --length 300 --layers 2 --epochs 40]

Reference: Khemakhem et al., arXiv 1907.04809, section 4.1.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.decomposition import FastICA

from isthmus.data import load
from isthmus.fitting import fit
from isthmus.metrics import mean_correlation


def segments(
    sources: int,
    segments: int,
    length: int,
    layers: int,
    seed: int,
    spread: float = 2.0,
    slope: float = 0.2,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True sources (N, n), mixtures (N, n) and the segment of each (N,)."""
    random = np.random.default_rng(seed)
    scale = np.sqrt(random.uniform(0.5, 3.0, size=(segments, sources)))
    label = np.repeat(np.arange(segments), length)
    centre = random.uniform(-spread, spread, size=(segments, sources))
    s = random.normal(size=(len(label), sources)) * scale[label] + centre[label]
    x = s / s.std(0)
    for layer in range(layers):
        best = min(
            (random.uniform(-1, 1, size=(sources, sources)) for _ in range(500)), key=np.linalg.cond
        )
        x = x @ (best / np.linalg.norm(best, axis=0))
        if layer < layers - 1:
            x = np.where(x > 0, x, slope * x)
    return s, x.astype(np.float32), label


def scores(
    s: np.ndarray, x: np.ndarray, label: np.ndarray, epochs: int, seed: int = 0
) -> dict[str, float]:
    """MCC of each method over all data."""
    source = load(x, labels=label, condition="label")
    options = {"hidden": (64,), "likelihood": "gaussian-shared", "kl_warmup": 0.0}
    found = {}
    for recipe in ("ivae", "vae"):
        run = fit(
            source,
            recipe,
            latent_dim=s.shape[1],
            epochs=epochs,
            patience=0,
            lr=1e-2,
            batch_size=256,
            seed=seed,
            threads=1,
            **options,
        )
        codes = run.model.encode(torch.as_tensor(x), condition=source.condition)
        found[recipe] = mean_correlation(s, codes.numpy())
    ica = FastICA(s.shape[1], whiten="unit-variance", max_iter=2000, tol=1e-2, random_state=seed)
    found["FastICA"] = mean_correlation(s, ica.fit_transform(x))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        *(("sources", 2), ("segments", 20), ("length", 300), ("layers", 2)),
        *(("epochs", 40), ("seed", 0)),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--spread", type=float, default=2.0)
    given = vars(parser.parse_args())
    epochs = given.pop("epochs")
    for name, value in scores(*segments(**given), epochs, given["seed"]).items():
        print(f"{name:8s} MCC {value:.3f}")


if __name__ == "__main__":
    main()
