"""log p(x) by importance sampling as isthmus does it: data in batches, samples in chunks.

usage: nll_isthmus.py DATA.npy ROWS SAMPLES THREADS
"""

from __future__ import annotations

import resource
import sys

import numpy as np
import torch
from serving import Stopwatch, serve

from isthmus.data import load
from isthmus.recipes import build_recipe

path, rows, samples, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
data = load(np.load(path), kind="table")
model = build_recipe("vae", data.spec, latent_dim=16, hidden=(512,), activation="relu").model
x = next(data.chunks(rows)).x


def measure() -> dict[str, float]:
    watch = Stopwatch()
    with watch:
        nll = -model.log_likelihood(x, samples=samples).mean().item()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    wall, cpu = watch.wall / len(x), watch.cpu / len(x)
    return {"wall": wall, "cpu": cpu, "nll": nll, "peak_mib": peak}


serve(measure)
