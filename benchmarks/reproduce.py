"""Published comparisons of generative models on dynamically binarised MNIST, run again.

    python benchmarks/reproduce.py iwae|vampprior|two-layers|iaf [--budget cpu|full]

`full` is the published protocol as far as isthmus has it, for a GPU and a day; `cpu` asks the same
question with fewer passes. Each trained model keeps its folder under --out: an interrupted run is
gone on with, a finished one is not trained again, and figures are kept beside it.

The decoder's last bias starts at the logit of the mean training image, as in Burda's code
(`get_train_bias_np`); `--start zero` leaves it as PyTorch draws it, near 0.

Every model is judged on the same test data, binarised once, by log p(x) at L importance samples in
float32. A difference is taken datum by datum, so that its standard error leaves out how hard the
data are. A unit is active where Cov_x(E_q[u]) > 1e-2; the covariance is that between two
independent sample means, which takes the noise of the draws out of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from measuring import finish, table
from protocols import EXPERIMENTS, Budget, Model, budget
from torch import Tensor

from isthmus.data import Source, load
from isthmus.data.binarized import Binarized
from isthmus.fitting import Split, fit
from isthmus.model import LatentModel
from isthmus.priors import LatentModelPrior
from isthmus.recipes import build_recipe, recipe_options

SPLIT = Split(0, (0.88, 0.02, 0.10))
ACTIVE = 1e-2
DRAWS = 32


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=list(EXPERIMENTS))
    parser.add_argument("--budget", choices=("cpu", "full"), default="cpu")
    parser.add_argument("--out", type=Path, default=Path("reproductions"), help="run folders")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--passes", type=int, nargs="+", help="some of the budget's")
    parser.add_argument("--models", nargs="+", help="some of the experiment's")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="of the training")
    parser.add_argument("--warmup", type=float, help="share of training, of the rate's weight")
    parser.add_argument(
        "--start", choices=("mean", "zero"), default="mean", help="of the decoder's last bias"
    )
    parser.add_argument("--samples", type=int, help="importance samples per datum")
    parser.add_argument("--test", type=int, help="test data")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--stored", action="store_true", help="train nothing: show what the folders hold"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run on small digits: it means nothing"
    )
    return parser.parse_args()


def asked(options: argparse.Namespace) -> Budget:
    """The budget with what the command line changes."""
    found = budget(options.name, options.budget)
    if options.quick:
        names = tuple(m.name for m in EXPERIMENTS[options.name].models)
        return replace(found, passes={1: names}, samples=10, test=100)
    passes = {
        count: tuple(n for n in names if not options.models or n in options.models)
        for count, names in found.passes.items()
        if not options.passes or count in options.passes
    }
    changed = {k: getattr(options, k) for k in ("precision", "warmup", "samples", "test")}
    return replace(found, passes=passes, **{k: v for k, v in changed.items() if v is not None})


def result_of(
    model: Model, passes: int, seed: int, how: Budget, data: Source, options: argparse.Namespace
) -> dict[str, Any] | None:
    """What a model came to: from its folder, or after training."""
    name = f"{model.name}-{passes}-batch{how.batch}-lr{how.lr:g}-{how.precision}"
    name += f"-warmup{how.warmup:g}-start-{options.start}-seed{seed}"
    folder = options.out / f"{options.name}-full" if options.budget == "full" else options.out
    folder = folder / name
    kept = folder / f"judged-{how.samples}-{how.test}.json"
    if kept.exists():
        return cast(dict[str, Any], json.loads(kept.read_text()))
    if options.stored:
        return None
    print(f"{time.strftime('%X')}  {name}", flush=True)
    torch.manual_seed(seed)
    warmup = {"kl_warmup": how.warmup} if "kl_warmup" in recipe_options(model.recipe) else {}
    built = build_recipe(model.recipe, data.spec, **{**how.options, **warmup, **model.options})
    # As if it had been trained before: it is left as PyTorch drew it.
    built.model.decoder.fresh = options.start == "mean"
    run = fit(
        data,
        built.model,
        objective=built.objective,
        folder=folder,
        resume=True,
        split=SPLIT,
        epochs=passes,
        batch_size=how.batch,
        lr=how.lr,
        weight_decay=0.0,
        precision=how.precision,
        device=how.device,
        threads=options.threads,
        evaluations=10,
        patience=0,
        seed=seed,
    )
    test = torch.cat([batch.x for batch in SPLIT.of(data)[2].chunks(1000)])
    x = test[:: max(1, len(test) // how.test)][: how.test].to(how.device)
    result = judged(run.model, x, how.samples) | {
        "model": model.name,
        "passes": passes,
        "seed": seed,
        "seconds": run.history[-1]["seconds"],
        "curve": [
            [r["epoch"], round(r["validation/loss"], 3)]
            for r in run.history
            if "validation/loss" in r
        ],
    }
    kept.write_text(json.dumps(result))
    return result


@torch.no_grad()
def judged(model: LatentModel, x: Tensor, samples: int) -> dict[str, Any]:
    """Log p(x) of every datum in nats, the mean ELBO, and active units by layer."""
    torch.manual_seed(0)
    log_px = model.log_likelihood(x, samples=samples)
    elbo = torch.cat([e.log_weights for e in map(model.evidence, x.split(500))], 1)
    return {
        "log_px": [round(v, 4) for v in log_px.tolist()],
        "elbo": elbo.mean().item(),
        "active": active(model, x),
    }


def active(model: LatentModel, x: Tensor) -> list[int]:
    """How many units are active, from the layer next to the data upwards."""
    first, second = means(model, x), means(model, x)
    covariances = [
        ((a - a.mean(0)) * (b - b.mean(0))).mean(0) for a, b in zip(first, second, strict=True)
    ]
    return [int((c > ACTIVE).sum()) for c in covariances]


def means(model: LatentModel, x: Tensor) -> list[Tensor]:
    """E_q[u] (N, Z) of each layer, estimated by draws."""
    codes = model.infer(model.scaling(x)).rsample(torch.Size((DRAWS,)))
    found = [codes.mean(0)]
    while isinstance(model.prior, LatentModelPrior):
        model = cast(LatentModel, model.prior.model)
        above = model.infer(codes.flatten(0, 1)).rsample(torch.Size(()))
        codes = above.view(*codes.shape[:2], -1)
        found.append(codes.mean(0))
    return found


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def over_seeds(values: list[float], digits: int = 2) -> str:
    """Mean ± standard error over seeds; the value alone where there is one."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    mean, error = mean_and_error(values)
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def models_table(results: list[dict[str, Any]]) -> str:
    rows = []
    for (passes, name), some in grouped(results).items():
        nll = [mean_and_error([-v for v in r["log_px"]]) for r in some]
        rows.append(
            (
                passes,
                name,
                "; ".join(f"{m:.2f} ± {e:.2f}" for m, e in nll),
                over_seeds([-r["elbo"] for r in some]),
                "; ".join("+".join(map(str, r["active"])) for r in some),
                f"{statistics.mean(r['seconds'] for r in some):.0f}",
            )
        )
    head = ("passes", "model", "NLL, nats ± s.e. over data, by seed", "-ELBO", "active", "s")
    return table(head, rows)


def differences(results: list[dict[str, Any]], baseline: str) -> list[dict[str, Any]]:
    """By how many nats each beats the baseline of the same passes and seed, datum by datum."""
    found = []
    for (passes, name), some in grouped(results).items():
        others = {r["seed"]: r for r in grouped(results).get((passes, baseline), [])}
        pairs = [(r, others[r["seed"]]) for r in some if r["seed"] in others]
        if name == baseline or not pairs:
            continue
        gains = [
            mean_and_error((np.array(r["log_px"]) - np.array(b["log_px"])).tolist())
            for r, b in pairs
        ]
        found.append(
            {
                "passes": passes,
                "model": name,
                "baseline": baseline,
                "seeds": [r["seed"] for r, _ in pairs],
                "gains": gains,
            }
        )
    return found


def differences_table(found: list[dict[str, Any]]) -> str:
    rows = [
        (
            d["passes"],
            f"{d['model']} over {d['baseline']}",
            "; ".join(f"{m:+.2f} ± {e:.2f}" for m, e in d["gains"]),
            over_seeds([m for m, _ in d["gains"]]),
        )
        for d in found
    ]
    head = ("passes", "gain in log p(x)", "nats ± s.e. over data, by seed", "over seeds")
    return table(head, rows)


def grouped(results: list[dict[str, Any]]) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """Results by passes and model, in the order of the seeds."""
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["passes"], result["model"]), []).append(result)
    return groups


def protocol(name: str, how: Budget, options: argparse.Namespace) -> str:
    """What is run, and where it departs from what was published."""
    seeds = options.seeds
    start = "the logit of the mean image" if options.start == "mean" else "0"
    deviations = "\n".join(f"  - {line};" for line in how.deviations)
    return (
        f"Published: {EXPERIMENTS[name].published}.\n"
        f"Here: passes {', '.join(map(str, how.passes))}; batch {how.batch}; peak rate {how.lr:g}; "
        f"{how.precision}; warm-up of the rate {how.warmup:g}; the decoder's last bias starts at "
        f"{start}; seeds {', '.join(map(str, seeds))}; "
        f"{how.test:,} test data at {how.samples:,} samples.\nDeviations:\n{deviations}"
    )


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    experiment, how = EXPERIMENTS[options.name], asked(options)
    print(protocol(options.name, how, options), flush=True)
    data = Binarized(load("digits" if options.quick else "mnist"), seed=1)
    with TemporaryDirectory() as passing:
        options.out = Path(passing) if options.quick else options.out
        found = [
            result_of(model, passes, seed, how, data, options)
            for passes, names in how.passes.items()
            for seed in options.seeds
            for model in experiment.models
            if model.name in names
        ]
    results = [r for r in found if r is not None]
    gains = differences(results, experiment.models[0].name)
    text = models_table(results) + "\n\n" + differences_table(gains)
    short = [
        {k: v for k, v in r.items() if k != "log_px"} | {"nll": -float(np.mean(r["log_px"]))}
        for r in results
    ]
    values = {"protocol": protocol(options.name, how, options), "results": short}
    finish(f"reproduce-{options.name}", text, {**values, "gains": gains}, options.quick)


if __name__ == "__main__":
    main()
