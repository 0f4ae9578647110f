"""Unsupervised disentanglement ranking: do models of different seeds find the same latents?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.registry import Registry

# Latents of a smaller mean rate, in nats, are taken for noise.
INFORMED = 0.01
PENALTY, SWEEPS, SETTLED = 0.1, 2000, 1e-8
# Sweeps after which the signs of the weights are tried.
EXACT = 5

SIMILARITIES = Registry("similarity of latents")


@final
class Ranking(NamedTuple):
    """The score (M,) of each model, the median of its column of the scores of pairs (M, M)."""

    scores: Floats
    pairs: Floats


def udr(
    codes: Sequence[ArrayLike],
    rates: Sequence[ArrayLike] | None = None,
    *,
    similarity: str = "lasso",
) -> Ranking:
    """How alike the latents of several models are, up to their order and sign.

    For two models with similarities R (latents of one by latents of the other) the score is the
    mean of max² / sum over the rows, averaged with that over the columns; a model's score is the
    median over the others.

    Args:
        codes: Of each model, (N, Z) posterior means of the same data; the reference takes 1,000.
        rates: Of each model, (Z,) mean KL of each latent from the prior in nats; latents of at most
            0.01 are left out. None keeps all that vary.
        similarity: "lasso" (|coefficients|, alpha 0.1) or "spearman" (|rank correlation|).

    Returns:
        Scores near 1 where each latent has a counterpart of its own in the other models, 0 for a
        model without informed latents.

    Raises:
        DataError: There are fewer than two models, or their data differ in number.
        UnknownNameError: There is no such similarity.

    Reference:
        Duan et al., Unsupervised Model Selection for Variational Disentangled Representation
        Learning, arXiv 1905.12614.
    """
    if len(codes) < 2:
        raise DataError(f"UDR compares models with each other and there are {len(codes)}; give 2+.")
    rows = [as_rows(z, "codes") for z in codes]
    for z in rows[1:]:
        same_length(rows[0], z, "codes of two models")
    kept = [_informed(z, i, rates) for i, z in enumerate(rows)]
    measure = SIMILARITIES[similarity].factory
    pairs = np.zeros((len(rows), len(rows)))
    ends = np.cumsum([z.shape[1] for z in kept])
    everyone = np.hstack(kept)
    for i, a in enumerate(kept):
        for j, found in enumerate(np.split(measure(a, everyone), ends[:-1], axis=1)):
            if i != j and found.size:
                pairs[i, j] = relative_strength(found)
    others = [np.median(np.delete(pairs[:, i], i)) for i in range(len(rows))]
    return Ranking(np.array(others), pairs)


def relative_strength(similarities: ArrayLike) -> float:
    """Mean of max² / sum over rows, averaged with that over columns; of nothing it is 0."""
    R = np.asarray(similarities, dtype=np.float64)
    halves = []
    for axis in (0, 1):
        total = R.sum(axis)
        halves.append((R.max(axis) ** 2 / np.where(total > 0, total, 1.0)).mean())
    return float(np.mean(halves))


def _informed(z: Floats, model: int, rates: Sequence[ArrayLike] | None) -> Floats:
    """The standardised latents that carry something."""
    spread = z.std(0)
    kept = spread > 0
    if rates is not None:
        rate = np.asarray(rates[model], dtype=np.float64).reshape(-1)
        if len(rates) <= model or len(rate) != z.shape[1]:
            raise DataError(
                f"Model {model} has {z.shape[1]} latents and {len(rate)} rates; give one for each."
            )
        kept &= rate > INFORMED
    return np.asarray((z[:, kept] - z[:, kept].mean(0)) / spread[kept])


@SIMILARITIES.register("spearman")
def spearman(a: Floats, b: Floats) -> Floats:
    """|Spearman's correlation| (Z, Z') of the columns of two arrays, none constant."""
    first, second = ((r - r.mean(0)) / r.std(0) for r in (rankdata(a, axis=0), rankdata(b, axis=0)))
    return np.asarray(np.abs(first.T @ second) / len(a))


@SIMILARITIES.register("lasso")
def lasso(a: Floats, b: Floats) -> Floats:
    """|Coefficients| (Z, Z') of a (N, Z), standardised, in the lasso of each column of b (N, Z').

    Each minimises ½ mean (b − a w)² + 0.1 |w|₁, by cyclic coordinate descent on the correlations,
    for all columns of b together; once the signs are those of a minimum, it is a linear equation's.
    """
    gram, target = a.T @ a / len(a), a.T @ b / len(a)
    weights = np.zeros_like(target)
    left = np.arange(target.shape[1])
    for sweep in range(1, SWEEPS + 1):
        wanted, now = target[:, left], weights[:, left]
        moved = _sweep(gram, wanted, now)
        done = _exactly(gram, wanted, now) if sweep % EXACT == 0 else np.zeros(len(left), bool)
        weights[:, left] = now
        left = left[~done]
        if not len(left) or moved <= SETTLED:
            break
    return np.abs(weights)


def _sweep(gram: Floats, target: Floats, weights: Floats) -> float:
    """Move each row of weights (Z, C) to its best in turn; the furthest move."""
    before = weights.copy()
    for j, row in enumerate(gram):
        free = target[j] - row @ weights
        free += row[j] * weights[j]
        free -= np.minimum(np.maximum(free, -PENALTY), PENALTY)
        weights[j] = free / row[j]
    return float(np.abs(weights - before).max(initial=0.0))


def _exactly(gram: Floats, target: Floats, weights: Floats) -> NDArray[np.bool_]:
    """Put the minimum in place of those columns that have its signs; which they are (C,)."""
    signs = np.sign(weights)
    active = signs.T != 0
    systems = np.where(active[:, :, None] & active[:, None], gram, np.eye(len(gram)))
    sides = np.where(active, (target - PENALTY * signs).T, 0.0)
    try:
        found = np.linalg.solve(systems, sides[..., None])[..., 0].T
    except np.linalg.LinAlgError:
        return np.zeros(len(signs.T), dtype=bool)
    slope = np.abs(target - gram @ found)
    right = ((np.sign(found) == signs) & (slope <= PENALTY + SETTLED)).all(0)
    weights[:, right] = found[:, right]
    return np.asarray(right)
