"""What both sides of `parity.py` share: sizes, settings and files; it imports nothing of either."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

HIDDEN, LATENT = 256, 16
POSITIONS, WIDTH, N_CODES = 8, 8, 64
# In pythae's own units: bce and squared errors are sums over pixels, the rate is in nats.
BETA = 4.0
MMD_WEIGHT = 10.0
COMMITMENT = 0.25
NORM_WEIGHT = 1e-4
SLOPE_WEIGHT = 1e-7
LR = 1e-3
BATCH = 100

BINARY = ("vae", "beta-vae")
QUANTISED = ("vq-vae", "vq-vae plain")
# The VQ-VAE's EMA steps: with k-means and revival, isthmus' own, or without either.
CASES = (*BINARY, "wae-mmd", *QUANTISED, "rae-l2", "rae-gp")


def files(folder: Path, case: str, seed: int) -> tuple[Path, Path]:
    """The data for a case, and the weights that it starts from."""
    kind = "binary" if case in BINARY else "grey"
    return folder / f"{kind}.npz", folder / f"start-{case}-{seed}.npz"


def arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by name."""
    with np.load(path) as held:
        return dict(held)


def sizes(case: str) -> tuple[int, int]:
    """What the encoder's last layer puts out, and what the decoder takes in."""
    if case in QUANTISED:
        return POSITIONS * WIDTH, POSITIONS * WIDTH
    return (2 * LATENT if case in BINARY else LATENT), LATENT


def layers(case: str, pixels: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder, D-256-Z and Z-256-D with ReLU; the last layers are linear."""
    out, into = sizes(case)
    encoder = nn.Sequential(nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, out))
    decoder = nn.Sequential(nn.Linear(into, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, pixels))
    return encoder, decoder


def write_start(path: Path, case: str, pixels: int, seed: int) -> None:
    """Weights that both sides start from, by PyTorch's own initialisation."""
    torch.manual_seed(seed)
    linear = [m for part in layers(case, pixels) for m in part if isinstance(m, nn.Linear)]
    values = {
        f"{kind}{i}": getattr(layer, kind).detach().numpy()
        for i, layer in enumerate(linear)
        for kind in ("weight", "bias")
    }
    values["codebook"] = (2 * torch.rand(N_CODES, WIDTH) - 1).div(N_CODES).numpy()
    np.savez(path, **values)


@torch.no_grad()
def start_from(path: Path, parts: Iterable[nn.Module], codebook: torch.Tensor | None) -> None:
    """Copy the start into the linear layers of these parts, in their order."""
    given = arrays(path)
    linear = [m for part in parts for m in part.modules() if isinstance(m, nn.Linear)]
    for i, layer in enumerate(linear):
        layer.weight.copy_(torch.from_numpy(given[f"weight{i}"]))
        layer.bias.copy_(torch.from_numpy(given[f"bias{i}"]))
    if codebook is not None:
        codebook.copy_(torch.from_numpy(given["codebook"]))


def write_outputs(path: Path, **values: Any) -> None:
    """What the common evaluator reads, as arrays."""
    np.savez(path, **{k: v.detach().cpu().numpy() for k, v in values.items() if v is not None})
