"""Identifiability on synthetic segments after the iVAE paper: MCC of ivae, vae and FastICA.

Five Gaussian sources have in each of 40 segments of 1,000 data a scale in U(.5, 3) and a mean in
U(-spread, spread) of their own; the condition is the segment's number. They are mixed by `layers`
matrices with nonlinearities between them:

- orthogonal: matrices of their own, leaky ReLUs of slope .2, and a little noise;
- tanh, leaky: as in the paper's code. One matrix for all layers, its columns of unit length and its
  condition number among the lowest quarter; tanh(x) + .1 x, or leaky ReLUs of slope .1; no noise.
  These x have directions a twentieth as wide as the widest, which a noise of one scale for all
  columns drowns: all methods are given them whitened, as FastICA whitens for itself.

Every seed has its own sources, matrices, noise and training. The mean correlation is that of the
codes' means over all data (the paper's code takes one draw of q(z|x, u) for each). Usage:

    python benchmarks/ivae.py [--layers 2 --spread 2 --seeds 0,1,2]
    python benchmarks/ivae.py --mixing tanh --layers 3 --spread 0 --epochs 200

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
# For the paper's mixings: wider, larger batches, Adam without decay as in its code; the noise of
# ivae falls from .3 to .1.
PUBLISHED: dict[str, Any] = {"hidden": (100, 100), "batch_size": 512, "weight_decay": 0.0}
FALLING: dict[str, Any] = {"kl_start": 9.0}
MIXINGS = ("orthogonal", "tanh", "leaky")
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
    mixing: str = "orthogonal",
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]:
    """True sources (N, n), mixtures (N, n) and the segment of each (N,)."""
    random = np.random.default_rng(seed)
    scale = random.uniform(0.5, 3.0, size=(segments, sources))
    label = np.repeat(np.arange(segments), length)
    centre = random.uniform(-spread, spread, size=(segments, sources))
    s = random.normal(size=(len(label), sources)) * scale[label] + centre[label]
    x = orthogonal(random, s, layers) if mixing == "orthogonal" else one(random, s, layers, mixing)
    return s, x.astype(np.float32), label


def orthogonal(
    random: np.random.Generator,
    x: NDArray[np.float64],
    layers: int,
    slope: float = 0.2,
    noise: float = 0.02,
) -> NDArray[np.float64]:
    """`layers` orthogonal matrices, leaky ReLUs between them, and a share of noise."""
    for layer in range(layers):
        x = x @ np.linalg.qr(random.normal(size=(x.shape[1], x.shape[1])))[0]
        if layer < layers - 1:
            x = np.where(x > 0, x, slope * x)
    return x + noise * x.std(0) * random.normal(size=x.shape)


def one(
    random: np.random.Generator, x: NDArray[np.float64], layers: int, mixing: str
) -> NDArray[np.float64]:
    """One matrix in all layers, drawn until its condition number is among the lowest quarter."""
    drawn = random.uniform(-1, 1, size=(2000, x.shape[1], x.shape[1]))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    condition = np.linalg.cond(drawn)
    matrix = drawn[condition <= np.quantile(condition, 0.25)][0]
    for layer in range(layers):
        x = x @ matrix
        if layer < layers - 1:
            x = np.tanh(x) + 0.1 * x if mixing == "tanh" else np.where(x > 0, x, 0.1 * x)
    centred = x - x.mean(0)
    values, axes = np.linalg.eigh(np.cov(centred.T))
    return centred @ axes / np.sqrt(values)


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
    parser.add_argument("--mixing", choices=MIXINGS, default=MIXINGS[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="ivae;vae;FastICA", help=f"of {'; '.join(VARIANTS)}")
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    given = parser.parse_args()
    if given.quick:
        given.length, given.epochs = 50, 1
    names = ("sources", "segments", "length", "layers", "spread", "mixing")
    shape = {k: getattr(given, k) for k in names}
    others = {} if given.mixing == MIXINGS[0] else PUBLISHED
    falling = FALLING if others else {}
    seeds = [int(seed) for seed in given.seeds.split(",")]
    found: dict[str, list[float]] = {name: [] for name in given.only.split(";")}
    for seed in seeds:
        data = segments(**shape, seed=1000 + seed)
        for name, values in found.items():
            own = falling if name.startswith("ivae") else {}
            values.append(score(*data, name, given.epochs, seed, **others, **own))
            print(f"seed {seed} {name:20s} MCC {values[-1]:.3f}", flush=True)
    rows = [
        (name, f"{mean(v):.3f} ({min(v):.3f}–{max(v):.3f})", *(f"{one:.3f}" for one in v))
        for name, v in found.items()
    ]
    heads = ("method", "MCC, mean (min–max)", *(f"seed {seed}" for seed in seeds))
    mixing = "" if given.mixing == MIXINGS[0] else f"{given.mixing}-"
    name = f"ivae-{mixing}{given.layers}-{given.spread:g}"
    finish(name, table(heads, rows), {"options": vars(given), "mcc": found}, given.quick)


if __name__ == "__main__":
    main()
