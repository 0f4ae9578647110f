"""Codes in use by quantisers over a grid: VQ, VQ-EMA, FSQ and LFQ with 512 codes each.

Protocol: the first 5,000 training images of MNIST (a tenth of them chooses the weights), scaled by
their mean and standard deviation; a grid of 7 x 7 codes out of 512; convolutions of 8 and 16
channels to the map and back, one residual block on it; `latent_dim` 16; AdamW at 1e-3, batches of
32; every quantiser with the same seeds, steps and networks; nothing was tuned on this protocol but
the start of FSQ's head (seeds 1, 2, 100 and 101). All figures are of the first 2,000 test images:
codes in use of 512, perplexity, and the mean squared error of pixels in [0, 1] with its PSNR.
`--data cifar10` asks the same of natural images: 4,000 to train on and 1,000 to judge, 32 x 32 in
colour, a grid of 8 x 8.

    ISTHMUS_DATA=FOLDER python benchmarks/codes.py [--data mnist] [--steps 600] [--seeds 0 1 2]

Reference: Mentzer et al., Finite Scalar Quantization, arXiv 2309.15505 (VQ against FSQ).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from isthmus.data import Source, load
from isthmus.fitting import Split, fit
from isthmus.metrics import code_perplexity, code_usage
from isthmus.objectives import Reconstruction
from isthmus.recipes import Axes, assemble
from isthmus.registry import Pick, pick

TRAIN, TEST, BATCH = 5_000, 2_000, 32
N_CODES = 512
AXES = Axes(latent_dim=16, hidden=(8, 16), network="map")
QUANTISERS = {
    "vq by gradient, as first published": pick(
        "vq", n_codes=N_CODES, ema=False, kmeans=False, revive=0.0
    ),
    "vq by moving average alone": pick("vq", n_codes=N_CODES, kmeans=False, revive=0.0),
    "vq (default: average, k-means, revival)": pick("vq", n_codes=N_CODES),
    "fsq (8, 8, 8)": pick("fsq", levels=(8, 8, 8)),
    "lfq, 9 bits, entropy .1 a position": pick("lfq", bits=9),
    # The paper's: .1 against the mean squared error of a pixel.
    "lfq, 9 bits, entropy .8 a position": pick("lfq", bits=9, entropy=0.1 * 0.5 * 784 / 49),
    # What the recipe takes, a tenth of it.
    "lfq, 9 bits, entropy .08 a position": pick("lfq", bits=9, entropy=0.01 * 0.5 * 784 / 49),
}


FILES = {"mnist": "mnist.npz", "cifar10": "cifar10_small.npz"}


def images(data: str) -> tuple[Source, torch.Tensor]:
    """Training images as a source, and test images (N, C, H, W), both in [0, 1]."""
    with np.load(Path(os.environ["ISTHMUS_DATA"]) / FILES[data]) as stored:
        train, test = stored["train_images"][:TRAIN], stored["test_images"][:TEST]
    few = next(load(test / np.float32(255.0)).chunks(TEST))
    return load(train / np.float32(255.0)), few.x


def figures(
    source: Source, test: torch.Tensor, posterior: Pick, steps: int, seed: int
) -> tuple[float, float, float]:
    """Usage, perplexity and mean squared error of one run."""
    torch.manual_seed(seed)
    built = assemble(
        source.spec,
        AXES,
        Reconstruction(),
        posterior=posterior,
        prior=pick("uniform-codes"),
        preferred="gaussian",
    )
    # The test images are others: of these next to none are set aside.
    split = Split(fractions=(0.88, 0.1, 0.02))
    model = fit(
        source,
        built.model,
        objective=built.objective,
        split=split,
        epochs=max(1, round(steps * BATCH / (0.88 * len(source)))),
        batch_size=BATCH,
        lr=1e-3,
        seed=seed,
        threads=1,
        evaluations=4,
    ).model
    codes = model.encode(test, "argmax").reshape(-1, 1)
    error = float((model.reconstruct(test) - test).square().mean())
    return code_usage(codes, N_CODES), code_perplexity(codes, N_CODES), error


def main() -> None:
    """Print the table, a line for each run and the mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", metavar="WORD", help="quantisers whose name has it")
    parser.add_argument("--data", choices=list(FILES), default="mnist")
    given = parser.parse_args()
    source, test = images(given.data)
    print("| quantiser | seed | usage | perplexity | MSE | PSNR |\n|---|---|---|---|---|---|")
    for name, posterior in QUANTISERS.items():
        if given.only not in name:
            continue
        rows = [figures(source, test, posterior, given.steps, seed) for seed in given.seeds]
        for seed, row in [*zip(given.seeds, rows, strict=True), ("mean", np.mean(rows, 0))]:
            usage, perplexity, error = row
            shares = f"{usage:.1%} | {perplexity:.0f} | {error:.4f} | {-10.0 * np.log10(error):.2f}"
            print(f"| {name} | {seed} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
