"""Every recipe on the digits, under one protocol: what the page of recipes says of each.

Eight latents (of quantised, categorical and sparse codes each recipe's own default), the default
settings otherwise, as many epochs for all, one thread, and for each seed one split that all share.
Judged on the held-out fifth, by `evaluate`: R² of the mean reconstruction; log p(x) by 500
importance samples and its bound, in nats of a density of values in [0, 1], as training sees them;
how well a classifier tells samples from held-out data, and posterior codes from those of the prior
(an AUC, .5 is not at all). Recipes that need a condition are given the label: theirs is log p of a
digit given its label. Besides a few recipes with other options, by the names that `compare` takes.

Each training is kept in a folder as soon as it is measured; what stands there is not measured
again, so that a run that was stopped goes on. Usage:

    python benchmarks/recipes.py [--epochs 60 --seeds 0,1,2 --only "vae vq-vae" --out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from measuring import finish, parsed, table

import isthmus
from isthmus.conditions import needs_condition
from isthmus.data import load
from isthmus.evaluation import evaluate
from isthmus.fitting import Run, Split
from isthmus.metrics import l0, r2
from isthmus.posteriors import DiscretePosterior, SparsePosterior
from isthmus.registry import RECIPES

Figures = dict[str, float]

# Those of large images have no eight by eight ones; `custom` is `vae` until it is told more.
LEFT_OUT = ("autoencoder-kl", "kl-gan", "vq-gan", "custom")
# Whose width is of another thing than a latent, or follows from the data.
OWN_WIDTH = ("quantised codes", "sparse codes")
OWN_WIDTH_TOO = ("categorical-vae",)
LATENT_DIM, SAMPLES, YARDSTICK = 8, 500, "vae"
VARIANTS: dict[str, dict[str, Any]] = {
    "svae:latent_dim=9": {"latent_dim": 9},
    "vamp-vae:start=noise": {"start": "noise"},
    "ladder-vae:nats=0": {"nats": 0.0},
    "vq-vae:ema=false,kmeans=false,revive=0": {"ema": False, "kmeans": False, "revive": 0.0},
}
MEASURES = (
    *("reconstruction", "likelihood", "bits-per-dim", "active", "codes"),
    *("samples", "prior-gap", "cost"),
)
# Keys of `evaluate` that are kept; log p(x) is the negative of one of them.
KEPT = (
    *("r2", "elbo", "rate", "ess", "active", "usage", "perplexity"),
    *("sample_auc", "prior_auc", "parameters"),
)


def names() -> list[str]:
    """Every recipe that is measured, the yardstick first, and those with other options last."""
    recipes = [entry.name for entry in RECIPES if entry.name not in (*LEFT_OUT, YARDSTICK)]
    return [YARDSTICK, *recipes, *VARIANTS]


def options_of(name: str) -> dict[str, Any]:
    """What a recipe is told beside the common settings."""
    recipe = name.partition(":")[0]
    own = RECIPES[recipe].about["family"] in OWN_WIDTH or recipe in OWN_WIDTH_TOO
    return ({} if own else {"latent_dim": LATENT_DIM}) | VARIANTS.get(name, {})


def measured(name: str, seed: int, epochs: int, samples: int) -> Figures:
    """Train a recipe and judge it on the held-out digits."""
    recipe = name.partition(":")[0]
    conditional = RECIPES[recipe].about["condition"]
    source = load("digits", condition="label") if conditional else load("digits")
    started = time.perf_counter()
    run = isthmus.fit(
        source,
        recipe,
        epochs=epochs,
        split=Split(seed),
        seed=seed,
        threads=1,
        device="cpu",
        **options_of(name),
    )
    seconds = time.perf_counter() - started
    found = evaluate(run, source, measures=MEASURES, samples=samples, seed=seed)
    values = {key: estimate.value for key, estimate in found.values.items()}
    figures = {key: values[key] for key in KEPT if key in values}
    if "nll" in values:
        figures["log_p"] = -values["nll"]
    told = {"told": 1.0} if needs_condition(run.model) else {}
    return figures | of_codes(run, source) | told | {"seconds": seconds}


@torch.no_grad()
def of_codes(run: Run, source: isthmus.Source) -> Figures:
    """Latents that speak of a sparse code; bits of one of integers, and what these rebuild."""
    model, (_, _, test) = run.model, run.split.of(source)
    x = torch.cat([batch.x for batch in test.chunks(4096)])
    if isinstance(model.posterior, SparsePosterior):
        return {"l0": l0(model.encode(x).numpy())}
    if isinstance(model.posterior, DiscretePosterior):
        rebuilt = model.decode(model.encode(x, "argmax"))
        kept = r2(x.flatten(1).numpy(), rebuilt.flatten(1).numpy())
        return {"bits": model.posterior.code_bits, "r2_integers": kept}
    return {}


def file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


def kept(folder: Path, name: str, seed: int, protocol: Mapping[str, Any]) -> Figures:
    """The figures of one training, from the folder where they stand there under this protocol."""
    path = folder / f"{file_name(name)}-{seed}.json"
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["protocol"] == protocol:
            return dict(stored["figures"])
    started = time.perf_counter()
    figures = measured(name, seed, **protocol)
    path.write_text(json.dumps({"protocol": protocol, "figures": figures}))
    took = time.perf_counter() - started
    shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
    print(f"{name} {seed}: {shown} ({took:.0f} s)", flush=True)
    return figures


def summary(by_seed: Mapping[str, Figures], yardstick: Mapping[str, Figures]) -> dict[str, Any]:
    """Means over seeds of what every seed has, and by seed how much more log p(x) than `vae`."""
    first, *others = by_seed.values()
    keys = [key for key in first if all(key in figures for figures in others)]
    means: dict[str, Any] = {key: mean(f[key] for f in by_seed.values()) for key in keys}
    if "log_p" in means and by_seed.keys() <= yardstick.keys():
        means["over"] = [f["log_p"] - yardstick[seed]["log_p"] for seed, f in by_seed.items()]
    return means


def row(name: str, means: Mapping[str, Any]) -> list[str]:
    """A row of the table."""
    over = means.get("over")

    def shown(key: str, digits: int) -> str:
        return f"{means[key]:,.{digits}f}" if key in means else "–"

    return [
        name,
        shown("r2", 3),
        shown("log_p", 1),
        f"{mean(over):+.1f} ({min(over):+.1f} to {max(over):+.1f})" if over else "–",
        shown("elbo", 1),
        shown("sample_auc", 2),
        shown("prior_auc", 2),
        shown("l0" if "l0" in means else "active", 1),
        shown("bits", 0),
        shown("usage", 2),
        shown("seconds", 0),
    ]


HEAD = (
    *("recipe", "R²", "log p(x)", "over vae (least to most)", "bound", "samples, AUC"),
    *("codes, AUC", "active or L0", "bits", "codes in use", "seconds"),
)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="names, with blanks between")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    with tempfile.TemporaryDirectory() as emptied:
        options = parsed(parser, epochs=1, seeds="0", out=Path(emptied))
        options.out.mkdir(parents=True, exist_ok=True)
        asked = options.only.split()
        protocol = {"epochs": options.epochs, "samples": 10 if options.quick else SAMPLES}
        found: dict[str, dict[str, Figures]] = {name: {} for name in asked or names()}
        # Seed by seed, so that a run that is stopped has the first seeds of all.
        for seed in options.seeds.split(","):
            for name, by_seed in found.items():
                by_seed[seed] = kept(options.out, name, int(seed), protocol)
    yardstick = found.get(YARDSTICK, {})
    means = {name: summary(by_seed, yardstick) for name, by_seed in found.items()}
    finish(
        "-".join(["recipes", *map(file_name, asked)]),
        table(HEAD, [row(*item) for item in means.items()]),
        {
            "protocol": protocol | {"latent_dim": LATENT_DIM, "seeds": options.seeds},
            "means": means,
            "found": found,
        },
        options.quick,
    )


if __name__ == "__main__":
    main()
