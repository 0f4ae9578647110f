"""The measures of disentanglement beside loops over points, on the same representation.

The loops (`contenders/disentanglement_loops.py`) are the reference's algorithms, written from their
description: batches of 16, one point or vote at a time, scikit-learn for every pair. Both take
10,000 rows, points or votes to fit on and 5,000 to score, of the same synthetic code: 10 latents of
5 factors of 3, 6, 5, 8 and 8 values, mixed by a random rotation and a sine. Encoding is a look-up
in a table, so that no time of a network is in either. Processor time counts: one thread, a shared
machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from measuring import CONTENDERS, finish, table
from numpy.typing import NDArray

from isthmus.metrics import disentanglement as d

sys.path.insert(0, str(CONTENDERS))
from disentanglement_loops import Loops
from disentanglement_loops import udr as loop_udr

SIZES, LATENTS, MODELS = (3, 6, 5, 8, 8), 10, 6
# Rounds at most, of those whose loops take long.
SLOW = {"DCI": 1, "downstream, 1,000 rows": 3}


def synthetic(seed: int) -> NDArray[np.float64]:
    """Codes (3 * 6 * 5 * 8 * 8, Z) of the whole grid, in the order of its cells."""
    random = np.random.default_rng(seed)
    f = np.stack(np.unravel_index(np.arange(np.prod(SIZES)), SIZES), 1)
    f = (f - f.mean(0)) / f.std(0)
    mixed = f @ random.normal(scale=0.3, size=(len(SIZES), LATENTS))
    mixed[:, : len(SIZES)] += f
    return np.asarray(mixed + 0.3 * np.sin(2 * mixed @ random.normal(size=(LATENTS, LATENTS))))


def timed(call: Callable[[], float]) -> tuple[float, float, float]:
    """What it says, processor seconds and seconds by the clock."""
    wall, processor = time.perf_counter(), time.process_time()
    value = call()
    return float(value), time.process_time() - processor, time.perf_counter() - wall


def pairs(
    train: int, test: int, seed: int
) -> dict[str, tuple[Callable[[], float], Callable[[], float]]]:
    """(the loop, ours) of every measure."""
    codes = synthetic(0)
    f = np.stack(np.unravel_index(np.arange(len(codes)), SIZES), 1)
    loops = Loops(lambda asked: codes[np.ravel_multi_index(tuple(asked.T), SIZES)], SIZES, seed)

    def sampler() -> d.Rows:
        return d.Rows(codes, f)

    def drawn(n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        index = np.random.default_rng(seed).integers(len(codes), size=n)
        return codes.take(index, axis=0), f.take(index, axis=0)

    def both() -> d.Halves:
        return d.halves(*drawn(train + test), seed=seed, train=train, test=test)

    def small() -> d.Halves:
        return d.halves(*drawn(1000 + test), seed=seed, train=1000, test=test)

    votes = {"seed": seed, "train": train, "test": test}
    others = [synthetic(s)[:: len(codes) // 1000][:1000] for s in range(MODELS)]
    return {
        "BetaVAE": (
            lambda: loops.beta_vae(train, test),
            lambda: d.beta_vae_score(sampler(), **votes),
        ),
        "FactorVAE": (
            lambda: loops.factor_vae(train, test),
            lambda: d.factor_vae_score(sampler(), **votes),
        ),
        "MIG": (lambda: loops.mig(train, test), lambda: d.mig(*drawn(train)).score),
        "DCI": (
            lambda: loops.dci(train, test),
            lambda: d.dci(*both(), seed=seed).disentanglement,
        ),
        "SAP": (lambda: loops.sap(train, test), lambda: d.sap(*both()).score),
        "modularity": (
            lambda: loops.modularity(train, test),
            lambda: d.modularity(*drawn(train)),
        ),
        "explicitness": (
            lambda: loops.explicitness(train, test),
            lambda: d.explicitness(*both()),
        ),
        "IRS": (lambda: loops.irs(train, test), lambda: d.irs(*drawn(train)).score),
        "unsupervised": (
            lambda: loops.unsupervised(train, test),
            lambda: d.dependence(drawn(train)[0]).total_correlation,
        ),
        "downstream, 1,000 rows": (
            lambda: loops.downstream(train, test),
            lambda: d.downstream(*small(), seed=seed, sizes=(1000,))[1000].mean,
        ),
        f"UDR lasso, {MODELS} models": (
            lambda: float(loop_udr(others, "lasso").mean()),
            lambda: float(d.udr(others).scores.mean()),
        ),
        f"UDR Spearman, {MODELS} models": (
            lambda: float(loop_udr(others, "spearman").mean()),
            lambda: float(d.udr(others, similarity="spearman").scores.mean()),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="measures by a part of their name")
    parser.add_argument("--quick", action="store_true", help="a smoke run: it means nothing")
    options = parser.parse_args()
    train, test = (300, 150) if options.quick else (10_000, 5_000)
    rows, values, totals = [], {}, np.zeros((2, 2))
    for name, calls in pairs(train, test, 0).items():
        if options.only and not any(part in name for part in options.only):
            continue
        rounds = 1 if options.quick else min(options.rounds, SLOW.get(name, options.rounds))
        found = [[timed(call) for call in calls] for _ in range(rounds)]
        (loop, loop_cpu, loop_wall), (ours, our_cpu, our_wall) = (
            [statistics.median(part) for part in zip(*one, strict=True)]
            for one in zip(*found, strict=True)
        )
        totals += [[loop_cpu, our_cpu], [loop_wall, our_wall]]
        values[name] = found
        rows.append((name, f"{loop:.4f}", f"{ours:.4f}", *_seconds(loop_cpu, our_cpu), rounds))
        print(rows[-1], flush=True)
    rows.append(("all", "", "", *_seconds(*totals[0]), ""))
    rows.append(("all, by the clock", "", "", *_seconds(*totals[1]), ""))
    head = ("measure", "loop says", "isthmus says", "loop, s", "isthmus, s", "ratio", "rounds")
    finish("disentanglement_speed", table(head, rows), {"rounds": values}, options.quick)


def _seconds(loop: float, ours: float) -> tuple[str, str, str]:
    return f"{loop:.3f}", f"{ours:.3f}", f"{loop / ours:.1f}"


if __name__ == "__main__":
    main()
