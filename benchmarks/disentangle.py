"""Which autoencoder separates the factors of the sprites? Five of them, several seeds, one table.

    python benchmarks/disentangle.py [--budget cpu|full] [--epochs N] [--seeds 0 1]

`cpu` takes 5,760 sprites (3 shapes x 6 scales x 5 orientations from 0 to 72 degrees x 8 x 8
positions), every second pixel of them (32 x 32), fully connected networks 256-128 and 5 latents.
`full` is the protocol of Locatello et al. (arXiv 1811.12359) as far as isthmus has it, for a GPU:
all 737,280 sprites at 64 x 64, convolutions 32-32-64-64, 10 latents, 300,000 steps of 64.

The codes are posterior means of every sprite of the grid, those trained on too, as in the
reference. Each run keeps its folder under --out: an interrupted run is gone on with, a finished one
is not trained again, and its figures are kept beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from measuring import finish, table
from numpy.typing import NDArray
from torch import Tensor

from isthmus.data import Source, load
from isthmus.data.shapes import Sprites, choose, factors_of, render
from isthmus.fitting import Run, Split, fit
from isthmus.metrics.disentanglement import Grid, measures, udr
from isthmus.store import WEIGHTS

SPLIT = Split(0, (0.94, 0.05, 0.01))
KEPT = {
    "orientation": range(0, 10, 2),
    "position x": range(0, 32, 4),
    "position y": range(0, 32, 4),
}
MODELS: dict[str, dict[str, Any]] = {
    "vae": {},
    "beta-vae": {"beta": 4.0},
    "factor-vae": {"gamma": 10.0},
    "beta-tcvae": {"beta": 6.0},
    "dip-vae-ii": {"off_diagonal": 10.0, "diagonal": 10.0},
}
# Besides the models: what a perfect code and one of chance come to.
CEILING, FLOOR = "the factors themselves", "untrained encoder"
COLUMNS = {
    "beta_vae": "BetaVAE",
    "factor_vae": "FactorVAE",
    "mig": "MIG",
    "dci_disentanglement": "DCI D",
    "dci_completeness": "DCI C",
    "dci_informativeness": "DCI I",
    "sap": "SAP",
    "modularity": "modularity",
    "explicitness": "explicitness",
    "irs": "IRS",
    "total_correlation": "Gaussian TC",
    "latent_information": "latent MI",
    "downstream_1000": "trees, 1,000",
    "udr": "UDR",
    "loss": "-ELBO",
    "active": "active",
}


@dataclass(frozen=True)
class Budget:
    """How long and on what is trained.

    Args:
        epochs: Passes over the training data.
        common: Options of every recipe and of the training.
        critic: Options of factor-vae's critic.
        seeds: One run of every model for each.
        train: Rows that measures fit on.
        test: Rows that measures score on.
    """

    epochs: int
    common: dict[str, Any]
    critic: dict[str, Any]
    seeds: tuple[int, ...]
    train: int
    test: int


BUDGETS = {
    "cpu": Budget(
        47,
        {
            "latent_dim": 5,
            "network": "mlp",
            "hidden": (256, 128),
            "batch_size": 64,
            "lr": 1e-3,
            "device": "cpu",
        },
        {"width": 256, "depth": 3},
        (0, 1),
        3840,
        1920,
    ),
    "full": Budget(
        28,
        {
            "latent_dim": 10,
            "network": "conv",
            "hidden": (32, 32, 64, 64),
            "batch_size": 64,
            "lr": 1e-4,
            "device": "cuda",
        },
        {},
        tuple(range(10)),
        10_000,
        5_000,
    ),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=list(BUDGETS), default="cpu")
    parser.add_argument("--out", type=Path, default=Path("reproductions/disentangle"))
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--epochs", type=int, help="in place of the budget's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a smoke run: it means nothing")
    return parser.parse_args()


def sprites(budget: str) -> tuple[Source, NDArray[np.int64]]:
    """The data and the factors (N, 5) of every datum, in order."""
    if budget == "full":
        index = choose(None, 0, None)
        return Sprites(index), factors_of(index).numpy()
    factors = factors_of(choose(None, 0, KEPT))
    images = render(factors)[:, :, ::2, ::2]
    return load(images.float().numpy()), factors.numpy()


def trained(name: str, seed: int, source: Source, how: Budget, options: argparse.Namespace) -> Run:
    """A model from its folder, or after training."""
    folder = options.out / options.budget / f"{name}-{how.epochs}-seed{seed}"
    print(f"{time.strftime('%X')}  {folder.name}", flush=True)
    if (folder / WEIGHTS).exists() and (run := Run.read(folder)).history[-1]["progress"] >= 1:
        return run
    own = MODELS[name] | (how.critic if name == "factor-vae" else {})
    return fit(
        source,
        name,
        folder=folder,
        resume=True,
        split=SPLIT,
        epochs=how.epochs,
        weight_decay=0.0,
        evaluations=4,
        patience=0,
        threads=options.threads,
        seed=seed,
        **how.common,
        **own,
    )


@torch.no_grad()
def encoded(run: Run, source: Source) -> dict[str, NDArray[np.float64]]:
    """Posterior means (N, Z) of all data, and the mean rate (Z,) of each latent in nats."""
    device = next(run.model.parameters()).device
    means, rates = [], []
    for batch in source.chunks(1000):
        q: Any = run.model.infer(run.model.scaling(batch.x.to(device)))
        means.append(q.mean)
        rates.append(0.5 * (q.mean**2 + q.variance - 1 - q.variance.log()))
    return {k: _numpy(torch.cat(v)) for k, v in (("codes", means), ("rates", rates))}


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return cast(NDArray[np.float64], values.double().cpu().numpy())


def judged(
    codes: NDArray[np.float64], factors: NDArray[np.int64], how: Budget, seed: int
) -> dict[str, float]:
    """The measures of one code of the whole grid."""
    return measures(
        codes,
        factors,
        seed=seed,
        sampler=Grid.of(codes, factors),
        train=how.train,
        test=how.test,
        sizes=(1000,),
    )


def result_of(
    name: str,
    seed: int,
    source: Source,
    factors: NDArray[np.int64],
    how: Budget,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """What a model came to: from its folder, or after training."""
    kept = options.out / options.budget / f"{name}-{how.epochs}-seed{seed}" / "judged.json"
    if kept.exists():
        return cast(dict[str, Any], json.loads(kept.read_text()))
    run = trained(name, seed, source, how, options)
    found = encoded(run, source)
    history = [row for row in run.history if "validation/loss" in row]
    means = {"validation/distortion", "validation/rate"} & set(history[-1])
    scored = run.history[-1]
    result: dict[str, Any] = {
        "model": name,
        "seed": seed,
        "steps": scored["step"],
        "seconds": scored["seconds"],
        "measures": judged(found["codes"], factors, how, seed)
        | {
            "loss": sum(history[-1][k] for k in means) if len(means) == 2 else float("nan"),
            "active": float((found["rates"].mean(0) > 0.01).sum()),
        },
        # Of 1,000 data, for the ranking of models by each other.
        "codes": found["codes"][:: max(1, len(factors) // 1000)][:1000].round(5).tolist(),
        "rates": found["rates"].mean(0).tolist(),
    }
    kept.write_text(json.dumps(result))
    return result


def untrained(
    source: Source, factors: NDArray[np.int64], how: Budget, seed: int
) -> dict[str, float]:
    """The measures of an encoder with its first weights."""
    common = how.common | {"lr": 1e-12, "warmup": 0.0, "weight_decay": 0.0, "epochs": 1}
    run = fit(source, "vae", split=SPLIT, seed=seed, threads=1, **common)
    return judged(encoded(run, source)["codes"], factors, how, seed)


def ranked(results: list[dict[str, Any]]) -> None:
    """Give each run its UDR among the seeds of its model."""
    for name in {r["model"] for r in results}:
        some = [r for r in results if r["model"] == name]
        if len(some) > 1:
            scores = udr([r["codes"] for r in some], [r["rates"] for r in some]).scores
            for r, score in zip(some, scores, strict=True):
                r["measures"]["udr"] = float(score)


def shown(values: list[float]) -> str:
    """Mean ± standard deviation over seeds (ddof 1)."""
    if not values or not np.isfinite(values).all():
        return ""
    digits = 1 if max(map(abs, values)) >= 10 else 3
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def main() -> None:
    options = arguments()
    how = BUDGETS[options.budget]
    how = replace(how, epochs=options.epochs or how.epochs)
    if options.quick:
        how = replace(how, epochs=1, train=200, test=100, seeds=(0, 1))
    seeds = tuple(options.seeds or how.seeds)
    source, factors = sprites(options.budget)
    results = [
        result_of(name, seed, source, factors, how, options)
        for seed in seeds
        for name in options.models
    ]
    ranked(results)
    ends = {
        CEILING: [judged(factors.astype(np.float64), factors, how, seeds[0])],
        FLOOR: [untrained(source, factors, how, seed) for seed in seeds],
    }
    groups = {
        name: [r["measures"] for r in results if r["model"] == name] for name in options.models
    } | ends
    rows = [
        (title, *(shown([m[key] for m in some if key in m]) for some in groups.values()))
        for key, title in COLUMNS.items()
    ]
    steps = {r["steps"] for r in results}
    text = table(("measure", *groups), rows)
    text += f"\n\nSteps: {sorted(steps)}; seeds: {list(seeds)}; mean ± s.d. over seeds."
    for r in results:
        del r["codes"], r["rates"]
    values = {"results": results, "ends": ends}
    finish("disentangle", text, values, options.quick)


if __name__ == "__main__":
    main()
