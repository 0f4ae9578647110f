"""Identifiability on synthetic segments after the iVAE paper: MCC of ivae, vae and FastICA.

Five Gaussian sources have in each of 40 segments of 1,000 data a scale in U(.5, 3) and a mean in
U(-spread, spread) of their own. They are mixed by `layers` orthogonal matrices of their own with
leaky ReLUs between them, and a little noise is added; the condition is the segment's number. Every
seed has its own sources, matrices, noise and training. The mean correlation is that of the codes'
means over all data, as in the paper. Usage:

    python benchmarks/ivae.py [--layers 2 --spread 2 --seeds 0,1,2]

Reference: Khemakhem et al., arXiv 1907.04809, section 5.1.
"""

from __future__ import annotations

import argparse
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import FastICA

from isthmus.data import load
from isthmus.fitting import fit
from isthmus.metrics import mean_correlation

# As in the paper's code: learning rate, units and their kind; its batches have 64 data.
SETTINGS: dict[str, Any] = {
    "lr": 1e-2,
    "batch_size": 256,
    "hidden": (50, 50),
    "activation": "leaky-relu",
    "patience": 0,
    "threads": 1,
    "evaluations": 4,
    "kl_warmup": 0.0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "ivae": {},
    "ivae, diagonal": {"posterior": "diagonal"},
    "ivae, learned noise": {"likelihood": "gaussian-shared"},
    "vae": {},
}


def segments(
    sources: int,
    segments: int,
    length: int,
    layers: int,
    seed: int,
    spread: float = 2.0,
    slope: float = 0.2,
    noise: float = 0.02,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]:
    """True sources (N, n), mixtures (N, n) and the segment of each (N,)."""
    random = np.random.default_rng(seed)
    scale = random.uniform(0.5, 3.0, size=(segments, sources))
    label = np.repeat(np.arange(segments), length)
    centre = random.uniform(-spread, spread, size=(segments, sources))
    s = random.normal(size=(len(label), sources)) * scale[label] + centre[label]
    x = s
    for layer in range(layers):
        x = x @ np.linalg.qr(random.normal(size=(sources, sources)))[0]
        if layer < layers - 1:
            x = np.where(x > 0, x, slope * x)
    x = x + noise * x.std(0) * random.normal(size=x.shape)
    return s, x.astype(np.float32), label


def score(
    s: NDArray[np.float64],
    x: NDArray[np.float32],
    label: NDArray[np.int64],
    variant: str,
    epochs: int,
    seed: int = 0,
    **others: Any,
) -> float:
    """MCC of one variant over all data; `others` replace training settings."""
    if variant == "FastICA":
        ica = FastICA(
            s.shape[1], whiten="unit-variance", max_iter=2000, tol=1e-2, random_state=seed
        )
        return mean_correlation(s, ica.fit_transform(x))
    source = load(x, labels=label, condition="label")
    options = {**SETTINGS, **VARIANTS[variant], "epochs": epochs, "seed": seed} | others
    run = fit(source, variant.split(",")[0], latent_dim=s.shape[1], **options)
    codes = run.model.encode(torch.as_tensor(x), condition=source.condition)
    return mean_correlation(s, codes.numpy())


def main() -> None:
    """Print the table."""
    # Beside this file when it is run; the tests load it from where they are.
    from measuring import finish, table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        *(("sources", 5), ("segments", 40), ("length", 1000), ("layers", 2)),
        ("epochs", 40),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--spread", type=float, default=2.0)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="ivae;vae;FastICA", help=f"of {'; '.join(VARIANTS)}")
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    given = parser.parse_args()
    if given.quick:
        given.length, given.epochs = 50, 1
    shape = {k: getattr(given, k) for k in ("sources", "segments", "length", "layers", "spread")}
    seeds = [int(seed) for seed in given.seeds.split(",")]
    found: dict[str, list[float]] = {name: [] for name in given.only.split(";")}
    for seed in seeds:
        data = segments(**shape, seed=1000 + seed)
        for name, values in found.items():
            values.append(score(*data, name, given.epochs, seed))
            print(f"seed {seed} {name:20s} MCC {values[-1]:.3f}", flush=True)
    rows = [
        (name, f"{mean(v):.3f} ({min(v):.3f}–{max(v):.3f})", *(f"{one:.3f}" for one in v))
        for name, v in found.items()
    ]
    heads = ("method", "MCC, mean (min–max)", *(f"seed {seed}" for seed in seeds))
    name = f"ivae-{given.layers}-{given.spread:g}"
    finish(name, table(heads, rows), {"options": vars(given), "mcc": found}, given.quick)


if __name__ == "__main__":
    main()
