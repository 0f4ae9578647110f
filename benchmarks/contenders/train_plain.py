"""A VAE trained by a loop written by hand: the least that PyTorch can do for this net.

usage: train_plain.py DATA.npy BATCH EPOCHS THREADS
"""

from __future__ import annotations

import sys

import numpy as np
import torch
import torch.nn.functional as F
from serving import Stopwatch, serve
from torch import nn

path, batch, epochs, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
x_all = torch.from_numpy(np.load(path).astype(np.float32))
steps = len(x_all) // batch
torch.manual_seed(0)


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 2 * 16))
        self.decoder = nn.Sequential(nn.Linear(16, 512), nn.ReLU(), nn.Linear(512, 784))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, log_variance = self.encoder(x).chunk(2, -1)
        scale = (0.5 * log_variance).exp()
        logits = self.decoder(mean + scale * torch.randn_like(scale))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        rate = 0.5 * (mean.square() + scale.square() - 1 - log_variance).sum()
        return (distortion + rate) / len(x)


def train() -> dict[str, float]:
    model = VAE()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    watch = Stopwatch()
    with watch:
        for _ in range(epochs):
            order = torch.randperm(len(x_all))
            total = torch.zeros(())
            for i in range(steps):
                loss = model(x_all[order[i * batch : (i + 1) * batch]])
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total += loss.detach()
    return {"wall": watch.wall / epochs, "cpu": watch.cpu / epochs, "loss": total.item() / steps}


serve(train)
