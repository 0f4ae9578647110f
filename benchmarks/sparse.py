"""Sparse autoencoders on superposition with a known dictionary, at an equal number of latents.

Each datum is a sum of few of many known unit directions, more than it has dimensions, with positive
sizes and a little noise. On data of the tuning seed every variant gets the learning rate of one
grid at which it loses least with less than 1% of its latents dead; `sparse-l1`, `gated-sae` and
`jumprelu-sae` also the price, searched for at each learning rate, at which they use as many latents
as `topk-sae`. With these settings each variant is then trained on other dictionaries and data, one
for each of the seeds. A latent is dead if none of 20,000 data that took no part in training uses
it. Usage:

    python benchmarks/sparse.py [--seeds 0,1,2] [--tuning 100] [--epochs 16]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import mean
from typing import Any

import numpy as np
import torch
from measuring import finish, table
from numpy.typing import NDArray

import isthmus
from isthmus.data import load
from isthmus.metrics import dead_share, explained_variance, l0, mean_max_cosine
from isthmus.recipes.sparse import directions

Floats = NDArray[np.float32]
COUNTED = ("topk-sae", "batch-topk-sae", "matryoshka-sae")
PRICED = ("sparse-l1", "gated-sae", "jumprelu-sae")
RATES = (3e-3, 1e-2)
# Where the search for a price starts, by how much it goes on until the number of latents is passed,
# how often it trains at a learning rate, and how near is near.
PRICE, WIDER, TRIALS, NEAR = 2.4, 1.3, 5, 0.06
HELD_OUT = 20_000
# A learning rate that leaves more latents dead is taken only where the whole grid does.
DEAD = 0.01


@dataclass(frozen=True)
class Result:
    """What one trained model came to on held-out data.

    Args:
        recipe: Its name.
        seed: Of dictionary, data and training.
        lr: The learning rate.
        option: Its k or its price.
        l0: Latents on, per datum.
        error: The share of variance that is lost.
        dead: The share of latents that no held-out datum uses.
        cosine: Mean over the known directions of the best cosine.
    """

    recipe: str
    seed: int
    lr: float
    option: float
    l0: float
    error: float
    dead: float
    cosine: float


def superposition(
    rows: int, size: int, words: int, used: float, noise: float = 0.02, seed: int = 0
) -> tuple[Floats, Floats]:
    """Data and the dictionary that they are made of.

    Args:
        rows: N.
        size: D.
        words: Directions in the dictionary.
        used: Directions that a datum is made of, on average.
        noise: Standard deviation of what is added to each element.
        seed: Of everything.

    Returns:
        (N, D) data and (words, D) unit directions.
    """
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(words, size))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    on = rng.uniform(size=(rows, words)) < used / words
    x = (on * rng.uniform(0.5, 1.5, size=on.shape)) @ truth
    x += noise * rng.normal(size=x.shape)
    return x.astype(np.float32), truth.astype(np.float32)


def measure(recipe: str, given: argparse.Namespace, seed: int, lr: float, option: float) -> Result:
    """Train one variant on the seed's data, and judge it by those held out."""
    x, truth = superposition(
        given.rows + HELD_OUT, given.size, given.words, given.used, seed=1000 + seed
    )
    options: dict[str, Any] = {"k": int(option)} if recipe in COUNTED else {"weight": option}
    run = isthmus.fit(
        load(x[:-HELD_OUT]),
        recipe,
        expansion=given.expansion,
        batch_size=128,
        epochs=given.epochs,
        patience=0,
        threads=1,
        lr=lr,
        seed=seed,
        evaluations=4,
        **options,
    )
    codes = run.model.encode(torch.from_numpy(x[-HELD_OUT:]))
    rebuilt = run.model.decode(codes).numpy()
    result = Result(
        recipe,
        seed,
        lr,
        option,
        l0(codes),
        1 - explained_variance(x[-HELD_OUT:], rebuilt),
        dead_share(codes),
        mean_max_cosine(directions(run.model), truth),
    )
    print(result, flush=True)
    return result


def at_l0(train: Callable[[float], Result], wanted: float, price: float) -> Result:
    """The result whose number of latents is nearest to the wanted one, over the price.

    L0 falls with the price: once results lie on both sides, the next price is where a straight line
    through the nearest of each meets the wanted number.
    """
    tried: list[Result] = []
    while len(tried) < TRIALS and not (tried and _off(tried[-1], wanted) < NEAR):
        tried.append(train(price))
        low = max((r for r in tried if r.l0 > wanted), key=lambda r: r.option, default=None)
        high = min((r for r in tried if r.l0 <= wanted), key=lambda r: r.option, default=None)
        if low and high:
            share = (low.l0 - wanted) / (low.l0 - high.l0)
            price = low.option + share * (high.option - low.option)
        else:
            price *= WIDER if low else 1 / WIDER
    return min(tried, key=lambda r: _off(r, wanted))


def _off(result: Result, wanted: float) -> float:
    return abs(_log(result.l0) - _log(wanted))


def _log(value: float) -> float:
    return math.log(max(value, 1e-3))


def tuned(recipe: str, given: argparse.Namespace, wanted: float) -> Result:
    """The best of the grid on the tuning seed, at the wanted number of latents."""

    def train(lr: float, option: float) -> Result:
        return measure(recipe, given, given.tuning, lr, option)

    found: list[Result] = []
    for lr in RATES:
        if recipe in COUNTED:
            found.append(train(lr, given.used))
        else:
            price = found[-1].option if found else PRICE
            found.append(at_l0(partial(train, lr), wanted, price))
    near = [r for r in found if _off(r, wanted) < 2 * NEAR]
    alive = [r for r in near if r.dead < DEAD]
    return min(alive or near or found, key=lambda r: r.error)


def shown(results: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: one variant over the seeds."""

    def spread(name: str, digits: str) -> str:
        values = [getattr(r, name) for r in results]
        return f"{mean(values):{digits}} ({min(values):{digits}}–{max(values):{digits}})"

    first = results[0]
    return (
        *(first.recipe, f"{first.lr:g}", f"{first.option:.3g}"),
        *(spread("l0", ".2f"), spread("error", ".1%"), spread("dead", ".1%")),
        spread("cosine", ".3f"),
    )


def main() -> None:
    """Choose the settings, train with them on the other seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        *(("rows", 24_000), ("size", 32), ("words", 96), ("used", 4), ("expansion", 4)),
        *(("epochs", 16), ("tuning", 100)),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seeds", default="0,1,2", help="those that are reported")
    parser.add_argument("--only", default=",".join((*COUNTED, *PRICED)), help="topk-sae first")
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    given = parser.parse_args()
    if given.quick:
        given.rows, given.epochs = 4000, 1
    chosen: list[Result] = []
    for recipe in given.only.split(","):
        chosen.append(tuned(recipe, given, chosen[0].l0 if chosen else given.used))
    seeds = [int(seed) for seed in given.seeds.split(",")]
    results = [[measure(c.recipe, given, seed, c.lr, c.option) for seed in seeds] for c in chosen]
    heads = ("recipe", "lr", "k or price", "L0", "variance lost", "dead", "mean max cosine")
    values = {
        "options": vars(given),
        "tuning": [asdict(c) for c in chosen],
        "results": [asdict(r) for some in results for r in some],
    }
    finish("sparse", table(heads, [shown(some) for some in results]), values, given.quick)


if __name__ == "__main__":
    main()
