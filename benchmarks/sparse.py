"""Sparse autoencoders on superposition with a known dictionary.

Each datum is a sum of few of many known unit directions, more than it has dimensions, with positive
sizes and a little noise. Every variant is trained alike; `sparse-l1`, `gated-sae` and
`jumprelu-sae` at several prices, so that they can be read at the number of latents of `topk-sae`
(between the two nearest prices, in a straight line over L0). Error, density and dead latents are
those of held-out data.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from measuring import finish, table
from numpy.typing import NDArray

import isthmus
from isthmus.data import load
from isthmus.metrics import dead_share, explained_variance, l0, mean_max_cosine
from isthmus.recipes.sparse import directions

Floats = NDArray[np.float32]
PRICES = {
    "sparse-l1": (1.0, 2.0, 3.0),
    "gated-sae": (1.0, 2.0, 3.0),
    "jumprelu-sae": (0.3, 0.5, 0.8),
}
COUNTED = ("topk-sae", "batch-topk-sae", "matryoshka-sae")


@dataclass(frozen=True)
class Result:
    """What one trained model came to on held-out data.

    Args:
        recipe: Its name.
        option: Its k or its price.
        l0: Latents on, per datum.
        error: The share of variance that is lost.
        dead: The share of latents that no held-out datum uses.
        cosine: Mean over the known directions of the best cosine.
    """

    recipe: str
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


def measure(
    recipe: str, x: Floats, truth: Floats, held_out: int, epochs: int, **options: Any
) -> Result:
    """Train one variant on all but the last rows, and judge it by those."""
    import torch

    run = isthmus.fit(load(x[:-held_out]), recipe, epochs=epochs, threads=1, patience=0, **options)
    rest = torch.from_numpy(x[-held_out:])
    codes = run.model.encode(rest)
    rebuilt = run.model.decode(codes).numpy()
    return Result(
        recipe,
        float(options.get("k", options.get("weight", 0))),
        l0(codes),
        1 - explained_variance(x[-held_out:], rebuilt),
        dead_share(codes),
        mean_max_cosine(directions(run.model), truth),
    )


def at_equal_l0(results: list[Result], wanted: float) -> float | None:
    """The error of a priced variant at so many latents, or None where its prices do not reach."""
    known = sorted((r.l0, r.error) for r in results)
    if not known[0][0] <= wanted <= known[-1][0]:
        return None
    return float(np.interp(wanted, [at for at, _ in known], [error for _, error in known]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--words", type=int, default=96)
    parser.add_argument("--used", type=int, default=4)
    parser.add_argument("--expansion", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--quick", action="store_true", help="its figures mean nothing")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.epochs = 4000, 1
    x, truth = superposition(options.rows, options.size, options.words, options.used)
    common: dict[str, Any] = {"expansion": options.expansion, "batch_size": 128}
    given = (x, truth, options.rows // 5, options.epochs)
    counted = [measure(name, *given, k=options.used, **common) for name in COUNTED]
    priced = {
        name: [measure(name, *given, weight=weight, **common) for weight in prices]
        for name, prices in PRICES.items()
    }
    everyone = [*counted, *(r for some in priced.values() for r in some)]
    rows = [
        (r.recipe, r.option, f"{r.l0:.2f}", f"{r.error:.4f}", f"{r.dead:.1%}", f"{r.cosine:.3f}")
        for r in everyone
    ]
    heads = ("recipe", "k or price", "L0", "variance lost", "dead", "mean max cosine")
    shown = table(heads, rows)
    wanted = counted[0].l0
    equal = {name: at_equal_l0(some, wanted) for name, some in priced.items()}
    lines = [
        f"{name} at L0 {wanted:.2f}: {'not reached' if error is None else f'{error:.4f} lost'}"
        for name, error in equal.items()
    ]
    values = {"options": vars(options), "results": [asdict(r) for r in everyone]}
    finish("sparse", "\n".join([shown, "", *lines]), values, options.quick)


if __name__ == "__main__":
    main()
