"""What the perceptual term and the critic change: PSNR over epochs, sharpness, the critic's loss.

Trains the same network three times on the same pictures from one seed: with the pixels' likelihood
alone (`autoencoder-kl`), with the perceptual term (`kl-gan` without its critic), and with both.
PSNR is that of pictures held out, of each in dB and averaged; edges are the variance of the
Laplacian of the reconstructions over that of the pictures, detail the energy at high spatial
frequencies over theirs. Usage:

    python benchmarks/image_training.py --images cifar10_small.npz
    python benchmarks/image_training.py --images shapes
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from measuring import RESULTS, finish, parsed, table
from torch import Tensor

from isthmus.data import Source, load
from isthmus.metrics import relative_sharpness
from isthmus.model import LatentModel
from isthmus.recipes import build_recipe
from isthmus.ssim import multi_scale_similarity
from isthmus.training import Listener, Record, train, training_settings
from isthmus.training.devices import own_random_state

SHOWN = 10
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "likelihood alone": ("autoencoder-kl", {}),
    "with perceptual term": ("kl-gan", {"adversarial": 0.0}),
    "with critic too": ("kl-gan", {}),
}


def pictures(name: str, rows: int, held_out: int) -> tuple[Tensor, Tensor]:
    """Pictures (N, C, 32, 32) in [0, 1] to train on and held-out ones."""
    if name != "shapes":
        stored = np.load(name)["train_images"]
        x = torch.from_numpy(stored).movedim(-1, 1).float() / 255.0
    else:
        epoch = load("shapes").epoch(rows + held_out, seed=0, epoch=0)
        x = F.avg_pool2d(next(epoch).x, 2)
    return x[:rows], x[-held_out:]


def figures(model: LatentModel, x: Tensor) -> dict[str, float]:
    """How near reconstructions come, and how sharp they are."""
    rebuilt = model.reconstruct(x).clamp(0.0, 1.0)
    sharp = relative_sharpness(rebuilt.numpy(), x.numpy())
    error = (rebuilt - x).square().mean((1, 2, 3)).clamp(min=1e-10)
    return {
        "psnr": float(-10.0 * error.log10().mean()),
        "ms_ssim": float(multi_scale_similarity(rebuilt, x).mean()),
        "edges": sharp.edges,
        "detail": sharp.detail,
    }


@final
class Watching(Listener):
    """Measures the model at every evaluation, and keeps what the critic's loss was before it."""

    def __init__(self, model: LatentModel, x: Tensor) -> None:
        self.model, self.x = model, x
        self.curve: list[dict[str, float]] = []
        self._trained: Record = {}

    def hear(self, record: Record) -> None:
        if "train/loss" in record:
            self._trained = record
        else:
            game = ("critic", "adversarial", "adversarial_weight")
            kept = {k: self._trained[f"train/{k}"] for k in game if f"train/{k}" in self._trained}
            found = figures(self.model, self.x)
            self.curve.append({"epoch": record["epoch"], **found, **kept})
            print({k: round(v, 3) for k, v in self.curve[-1].items()}, flush=True)

    def close(self) -> None:
        pass


def trained(
    source: Source, held_out: Tensor, variant: str, given: argparse.Namespace
) -> tuple[dict[str, Any], Tensor]:
    """The curve of a variant, its last figures, and its reconstructions of the first pictures."""
    name, own = VARIANTS[variant]
    if name == "kl-gan":
        own = {"start": given.start, "perceptual": given.perceptual, **own}
    settings = training_settings(
        epochs=given.epochs, batch_size=given.batch_size, threads=1, patience=0, clip=1.0,
        lr=given.lr, evaluations=given.evaluations, log_every=5, seed=given.seed,
    )  # fmt: skip
    with own_random_state(torch.device("cpu"), given.seed):
        widths = tuple(map(int, given.hidden.split(",")))
        built = build_recipe(name, source.spec, latent_dim=given.latent_dim, hidden=widths, **own)
    watching = Watching(built.model, held_out)
    few = load(held_out[:100].movedim(1, -1).numpy())
    print(f"\n{variant}", *built.notes, sep="\n", flush=True)
    ended = train(built.model, built.objective, source, few, settings, listeners=[watching])
    seconds = ended.history[-1]["seconds"]
    shown = built.model.reconstruct(held_out[:SHOWN]).clamp(0.0, 1.0)
    return {"curve": watching.curve, "seconds": seconds, "notes": built.notes}, shown


def draw(rows: list[Tensor], path: Path) -> None:
    """One picture: the pictures held out, and each variant's reconstructions below them."""
    from PIL import Image

    sheet = torch.cat([torch.cat(list(row), -1) for row in rows], -2)
    sheet = F.interpolate(sheet[None], scale_factor=3)[0]
    colours = sheet.expand(3, -1, -1).movedim(0, -1)
    Image.fromarray((255 * colours).round().byte().numpy()).save(path)


def main() -> None:
    """Print the curves and the table; draw the reconstructions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="an npz file of train_images, or shapes")
    numbers = {"rows": 2000, "held-out": 200, "epochs": 8, "batch-size": 16, "latent-dim": 4}
    for name, value in {**numbers, "evaluations": 8, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("start", 0.4), ("perceptual", 1.0), ("lr", 2e-3)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--hidden", default="16,32", help="widths of the network's stages")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    given = parsed(parser, rows=32, held_out=10, epochs=1, evaluations=1, hidden="8")
    torch.set_num_threads(1)
    x, held_out = pictures(given.images, given.rows, given.held_out)
    source = load(x.movedim(1, -1).numpy())
    found, drawn = {}, [held_out[:SHOWN]]
    for variant in given.variants.split(","):
        found[variant], shown = trained(source, held_out, variant, given)
        drawn.append(shown)
    columns = ("psnr", "ms_ssim", "edges", "detail")
    rows = [
        (name, *(f"{run['curve'][-1][c]:.3f}" for c in columns), f"{run['seconds']:.0f}")
        for name, run in found.items()
    ]
    text = table(("variant", *columns, "seconds"), rows)
    data = Path(given.images).stem
    if not given.quick:
        RESULTS.mkdir(exist_ok=True)
        draw(drawn, RESULTS / f"image_training-{data}.png")
    options = {**vars(given), "images": data}
    finish(f"image_training-{data}", text, {"options": options, "found": found}, given.quick)


if __name__ == "__main__":
    main()
