"""How sharp the reconstructions of vae-gan and vae are, at the same code size and networks.

Sharpness is the mean variance of the Laplacian of the reconstructions, divided by that of the data;
beside it stands the share of the data's energy that reconstructions keep at spatial frequencies
above half of the highest. Both are 1 for the data themselves, on images held out. Usage:

    python benchmarks/sharpness.py [--data digits --latent-dim 2 --epochs 60 --seeds 0,1,2]
    python benchmarks/sharpness.py --data mnist --side 32 --rows 4000 --latent-dim 8 --epochs 20
"""

from __future__ import annotations

import argparse
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from measuring import finish, table
from torch import Tensor

import isthmus
from isthmus.data import Source, load
from isthmus.metrics import relative_sharpness

RECIPES = ("vae", "vae-gan")


def images(name: str, rows: int, side: int) -> Tensor:
    """At most `rows` images (N, C, H, W), padded with their lowest value to `side`."""
    source = load(name)
    stored = torch.cat([batch.x for batch in source.chunks(4096)]).float()
    order = torch.randperm(len(stored), generator=torch.Generator().manual_seed(0))
    x = stored[order[:rows]] if rows else stored
    missing = max(0, side - x.shape[-1])
    half = missing // 2
    return F.pad(x, (half, missing - half, half, missing - half), value=float(x.min()))


def measure(source: Source, held_out: Tensor, recipe: str, **options: Any) -> dict[str, float]:
    """Sharpness, high energy and error of one model's reconstructions."""
    run = isthmus.fit(source, recipe, patience=0, threads=1, evaluations=4, **options)
    rebuilt = run.model.decode(run.model.encode(held_out))
    sharp = relative_sharpness(rebuilt.numpy(), held_out.numpy())
    return {
        "sharpness": sharp.edges,
        "high": sharp.detail,
        "error": float((rebuilt - held_out).square().mean() / held_out.var()),
        "seconds": run.history[-1]["seconds"],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    for name, value in (("rows", 0), ("side", 0), ("latent-dim", 2), ("epochs", 60)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    given = parser.parse_args()
    if given.quick:
        given.rows, given.epochs = 300, 1
    x = images(given.data, given.rows, given.side)
    cut = len(x) * 4 // 5
    source, held_out = load(x[:cut].numpy()), x[cut:]
    options = {"latent_dim": given.latent_dim, "epochs": given.epochs}
    rows, values = [], {}
    for recipe in RECIPES:
        found = []
        for seed in map(int, given.seeds.split(",")):
            found.append(measure(source, held_out, recipe, seed=seed, **options))
            print(recipe, seed, found[-1], flush=True)
        values[recipe] = found
        shown = []
        for name in ("sharpness", "high", "error"):
            several = [one[name] for one in found]
            shown.append(f"{mean(several):.3f} ({min(several):.3f}–{max(several):.3f})")
        rows.append((recipe, *shown, f"{mean(one['seconds'] for one in found):.0f}"))
    heads = ("recipe", "sharpness", "high frequencies", "error / variance", "seconds")
    name = f"sharpness-{given.data}"
    finish(name, table(heads, rows), {"options": vars(given), "found": values}, given.quick)


if __name__ == "__main__":
    main()
