"""Which perceptual distance without trained weights stands in for LPIPS.

Two questions. Does a distance order distortions of the same squared error as people do, for whom a
change of brightness or contrast and a small shift cost least, noise more, blur and blocks most
(Sheikh, Sabir & Bovik 2006; Wang & Bovik 2009)? And how sharp is its best answer where a picture is
uncertain, at which error? Usage:

    python benchmarks/perceptual.py --images cifar10_small.npz
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from measuring import finish, parsed, table
from torch import Tensor

from isthmus.metrics import relative_sharpness
from isthmus.perceptual import PERCEPTUAL, Perceptual

Distortion = Callable[[Tensor, float], Tensor]


def noise(x: Tensor, amount: float) -> Tensor:
    return x + amount * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def blur(x: Tensor, amount: float) -> Tensor:
    place = torch.arange(-7, 8) / (4.0 * amount + 1e-3)
    weights = (-0.5 * place.square()).exp()
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    padded = F.pad(x, (7, 7, 7, 7), mode="replicate")
    return F.conv2d(padded, kernel.expand(x.shape[1], 1, 15, 15), groups=x.shape[1])


def blocks(x: Tensor, amount: float) -> Tensor:
    mean = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4)
    return torch.lerp(x, mean, amount)


def shift(x: Tensor, amount: float) -> Tensor:
    moved = 4.0 * amount * 2.0 / x.shape[-1]
    theta = torch.tensor([[1.0, 0.0, moved], [0.0, 1.0, 0.5 * moved]]).expand(len(x), 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)


def contrast(x: Tensor, amount: float) -> Tensor:
    mean = x.mean((-1, -2), keepdim=True)
    return mean + (1.0 - amount) * (x - mean)


# From what costs people least to what costs them most, at the same squared error.
TIERS: tuple[dict[str, Distortion], ...] = (
    {"brightness": lambda x, a: x - a, "contrast": contrast, "shift": shift},
    {"noise": noise},
    {"blur": blur, "blocks": blocks},
)


def at_error(distort: Distortion, x: Tensor, error: float) -> Tensor | None:
    """One picture (1, C, H, W) distorted to this mean squared error; None where it cannot be."""
    low, high = 0.0, 1.0
    if (distort(x, high) - x).square().mean() < error:
        return None
    for _ in range(30):
        middle = 0.5 * (low + high)
        if (distort(x, middle) - x).square().mean() < error:
            low = middle
        else:
            high = middle
    return distort(x, high)


def ordered(
    distances: dict[str, Perceptual], pictures: Tensor, psnr: float
) -> dict[str, dict[str, float]]:
    """Share of pairs of distortions of different tiers that each distance orders as people do."""
    error = 4.0 * 10.0 ** (-psnr / 10.0)
    kinds = {name: (tier, kind) for tier, ks in enumerate(TIERS) for name, kind in ks.items()}
    right: dict[str, dict[str, list[float]]] = {name: {} for name in distances}
    for x in pictures.split(1):
        made = {name: at_error(kind, x, error) for name, (_, kind) in kinds.items()}
        if any(y is None for y in made.values()):
            continue
        for name, distance in distances.items():
            far = {kind: float(distance(x, y)) for kind, y in made.items() if y is not None}
            for a, b in product(kinds, kinds):
                if kinds[a][0] < kinds[b][0]:
                    right[name].setdefault(f"{a} < {b}", []).append(float(far[a] < far[b]))
    found = {
        n: {pair: float(np.mean(v)) for pair, v in pairs.items()} for n, pairs in right.items()
    }
    for name, pairs in found.items():
        pairs["all"] = float(np.mean(list(pairs.values())))
        pairs["pictures"] = len(next(iter(right[name].values())))
    return found


def settled(pictures: Tensor, distance: Perceptual, weight: float, steps: int) -> dict[str, float]:
    """The best answer to an uncertain picture under L1 + weight · distance: PSNR and sharpness.

    A picture may stand up to a pixel to either side, and the answer is the one that costs least on
    average over where it may. Squared and absolute errors answer with a blur.
    """
    draw = torch.Generator().manual_seed(1)
    likely = torch.stack([moved(pictures, draw) for _ in range(4)])
    answer = likely.mean(0).requires_grad_()
    optimizer = torch.optim.Adam([answer], lr=0.03)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * (1.0 - step / steps)
        many = answer.expand_as(likely).flatten(0, 1)
        error = (many - likely.flatten(0, 1)).abs().mean()
        if weight:
            error = error + weight * distance(many, likely.flatten(0, 1)).mean()
        optimizer.zero_grad()
        (error * len(pictures)).backward()
        optimizer.step()
    found = answer.detach()
    sharp = relative_sharpness(found.numpy(), likely[0].numpy())
    squares = (0.5 * (found - likely)).square().mean((2, 3, 4))
    return {
        "psnr": float(-10.0 * squares.log10().mean()),
        "edges": sharp.edges,
        "detail": sharp.detail,
    }


def moved(x: Tensor, draw: torch.Generator) -> Tensor:
    """Pictures each shifted by up to a pixel along either axis."""
    theta = torch.eye(2, 3).repeat(len(x), 1, 1)
    theta[:, :, 2] = (2.0 * torch.rand(len(x), 2, generator=draw) - 1.0) * 2.0 / x.shape[-1]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="an npz file with train_images, uint8")
    parser.add_argument("--count", type=int, default=60, help="pictures that are distorted")
    parser.add_argument("--psnr", default="20,24,28")
    parser.add_argument("--steps", type=int, default=60, help="towards the best answer")
    parser.add_argument("--answers", type=int, default=12, help="uncertain pictures")
    parser.add_argument("--weights", default="0.1,0.3,1,3")
    given = parsed(parser, count=1, steps=1, psnr="24", weights="1", answers=2)
    torch.set_num_threads(1)
    stored = torch.from_numpy(np.load(given.images)["train_images"]).movedim(-1, 1).float() / 255.0
    distances = {e.name: PERCEPTUAL.create(e.name) for e in PERCEPTUAL if e.name != "lpips"}
    orders, rows = {}, []
    for psnr in map(float, given.psnr.split(",")):
        orders[psnr] = ordered(distances, 2.0 * stored[: given.count] - 1.0, psnr)
        for name, pairs in orders[psnr].items():
            shown = [f"{v:.2f}" for pair, v in pairs.items() if pair != "pictures"]
            rows.append((f"{psnr:.0f} dB", name, *shown))
    heads = [pair for pair in next(iter(orders[psnr].values())) if pair != "pictures"]
    text = table(("PSNR", "distance", *heads), rows)

    runs: dict[str, dict[str, float]] = {}
    x = 2.0 * stored[-given.answers :] - 1.0
    chosen = [(n, w) for n in distances for w in map(float, given.weights.split(","))]
    for name, weight in [(next(iter(distances)), 0.0), *chosen]:
        key = f"L1 + {weight:g} {name}" if weight else "L1"
        runs[key] = settled(x, distances[name], weight, given.steps)
        print(key, runs[key], flush=True)
    lines = [(key, *(f"{value:.3f}" for value in run.values())) for key, run in runs.items()]
    text += "\n\n" + table(("best answer under", "psnr", "edges", "detail"), lines)
    finish("perceptual", text, {"orders": orders, "runs": runs}, given.quick)


if __name__ == "__main__":
    main()
