"""pythae's `get_nll` of a VAE of the same size, in pythae's own environment.

usage: nll_pythae.py DATA.npy ROWS SAMPLES THREADS GRADIENTS

GRADIENTS is 1 to call it as it is: it keeps the graph of every pass, which nobody asks for.
0 calls it under `torch.no_grad()`, the kindest way.
"""

from __future__ import annotations

import resource
import sys

import numpy as np
import torch
from pythae.models import VAE, VAEConfig
from serving import Stopwatch, serve

path, rows, samples, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
model = VAE(VAEConfig(input_dim=(784,), latent_dim=16, reconstruction_loss="bce")).eval()
x = torch.from_numpy(np.load(path)[:rows].astype(np.float32))


def measure() -> dict[str, float]:
    watch = Stopwatch()
    with watch, torch.set_grad_enabled(sys.argv[5] == "1"):
        # It returns the mean of +log p(x).
        nll = -float(model.get_nll(x, n_samples=samples, batch_size=100))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    wall, cpu = watch.wall / len(x), watch.cpu / len(x)
    return {"wall": wall, "cpu": cpu, "nll": nll, "peak_mib": peak}


serve(measure)
