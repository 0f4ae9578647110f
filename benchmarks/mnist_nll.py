"""MNIST, dynamically binarised: NLL at 1,000 importance samples after so many minutes of training.

The net is 784-200-200-z50 with tanh (Burda et al., arXiv 1509.00519). Training draws the pixels of
every batch anew as Bernoulli(grey); the 10,000 test images are binarised once, with a fixed seed.
The weights are those of the best held-out bound on a part of the 60,000 training images.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from measuring import finish, parsed, table

from isthmus.data import load
from isthmus.data.binarized import Binarized
from isthmus.evidence import Evidence
from isthmus.fitting import Run, fit
from isthmus.training import TrainingSettings


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=["vae"], help="such as vae iwae")
    parser.add_argument("--minutes", type=float, default=8.0, help="of training, for each recipe")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=TrainingSettings().batch_size)
    parser.add_argument("--lr", type=float, default=TrainingSettings().lr)
    parser.add_argument("--samples", type=int, default=1000, help="importance samples per image")
    parser.add_argument("--test", type=int, default=10_000, help="test images")
    parser.add_argument("--seed", type=int, default=0)
    return parsed(parser, minutes=0.05, samples=20, test=200)


def trained(options: argparse.Namespace, recipe: str, data: Binarized) -> Run:
    return fit(
        data,
        recipe,
        latent_dim=50,
        network="mlp",
        hidden=(200, 200),
        activation="tanh",
        minutes=options.minutes,
        threads=options.threads,
        batch_size=options.batch,
        lr=options.lr,
        seed=options.seed,
        patience=0,
        device="cpu",
    )


@torch.no_grad()
def judged(run: Run, x: torch.Tensor, samples: int) -> dict[str, float]:
    """NLL and ELBO of test data, in nats per datum, and how long the NLL took."""
    torch.manual_seed(0)
    start = time.perf_counter()
    log_px = run.model.log_likelihood(x, samples=samples)
    seconds = time.perf_counter() - start
    error = log_px.std().item() / len(x) ** 0.5
    parts: list[Evidence] = [run.model.evidence(part) for part in x.split(1000)]
    elbo = torch.cat([-(p.distortion.mean(0) + p.rate) for p in parts]).mean().item()
    return {"nll": -log_px.mean().item(), "error": error, "elbo": elbo, "nll_seconds": seconds}


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    data = Binarized(load("mnist"), seed=1)
    results: list[dict[str, Any]] = []
    for recipe in options.recipes:
        run = trained(options, recipe, data)
        test = data.subset("test", run.split.seed, run.split.fractions)
        x = torch.cat([batch.x for batch in test.chunks(1000)])[: options.test]
        curve = [
            {k: r[k] for k in ("seconds", "step", "epoch", "validation/loss")}
            for r in run.history
            if "validation/loss" in r
        ]
        found = judged(run, x, options.samples)
        results.append({"recipe": recipe, **found, "curve": curve})
    head = ["recipe", "minutes", "epochs", "test NLL, nats", "test ELBO, nats", "NLL of 10,000, s"]
    rows = [
        (
            r["recipe"],
            f"{options.minutes:g}",
            f"{r['curve'][-1]['epoch']:.0f}",
            f"{r['nll']:.2f} ± {r['error']:.2f}",
            f"{r['elbo']:.2f}",
            f"{r['nll_seconds'] * 10_000 / options.test:.0f}",
        )
        for r in results
    ]
    text = table(head, rows)
    for r in results:
        picked = r["curve"][:: max(1, len(r["curve"]) // 10)]
        text += f"\n\nHeld-out bound of {r['recipe']} on the way:\n\n" + table(
            ["seconds", "epoch", "bound, nats"],
            [
                (f"{p['seconds']:.0f}", f"{p['epoch']:.1f}", f"{p['validation/loss']:.2f}")
                for p in picked
            ],
        )
    settings = {k: v for k, v in vars(options).items() if k != "quick"}
    finish("mnist_nll", text, {"settings": settings, "results": results}, options.quick)


if __name__ == "__main__":
    main()
