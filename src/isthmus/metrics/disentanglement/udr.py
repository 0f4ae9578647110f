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
# Sweeps after which the signs of the weights are tried, and how often they are put right.
EXACT, TRIES, HAIR = 5, 3, 1e-12

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
    similar = SIMILARITIES[similarity].factory(_together(kept))
    pairs = _strengths(similar, np.array([z.shape[1] for z in kept]))
    others = pairs.T[_others(len(rows))].reshape(len(rows), -1)
    return Ranking(np.median(others, axis=1), pairs)


def relative_strength(similarities: ArrayLike) -> float:
    """Mean of max² / sum over rows, averaged with that over columns; of nothing it is 0."""
    R = np.asarray(similarities, dtype=np.float64)
    return float(np.mean([_strength(R, axis).mean() for axis in (0, 1)]))


def _strength(R: Floats, axis: int) -> Floats:
    total = R.sum(axis)
    return np.asarray(R.max(axis) ** 2 / np.where(total > 0, total, 1.0))


def _strengths(R: Floats, widths: NDArray[np.int64]) -> Floats:
    """The relative strengths (M, M) of similarities (M, M, Z, Z), all but each model's own.

    Beyond the widths (M,) of the models lie zeros, which no mean counts.
    """
    counted = np.maximum(widths, 1)
    rows, columns = _strength(R, 3).sum(2), _strength(R, 2).sum(2)
    return np.where(_others(len(R)), (rows / counted[:, None] + columns / counted) / 2, 0.0)


def _others(models: int) -> NDArray[np.bool_]:
    return ~np.eye(models, dtype=bool)


def _informed(z: Floats, model: int, rates: Sequence[ArrayLike] | None) -> Floats:
    """The standardised latents that carry something."""
    kept = (z != z[0]).any(0)
    if rates is not None:
        rate = np.asarray(rates[model], dtype=np.float64).reshape(-1)
        if len(rates) <= model or len(rate) != z.shape[1]:
            raise DataError(
                f"Model {model} has {z.shape[1]} latents and {len(rate)} rates; give one for each."
            )
        kept &= rate > INFORMED
    centred = z[:, kept] - z[:, kept].mean(0)
    return np.asarray(centred / np.sqrt(np.einsum("nz,nz->z", centred, centred) / len(z)))


def _together(codes: Sequence[Floats]) -> Floats:
    """(M, Z, N) the latents of all models, those that some have fewer of being zero."""
    # Where no model has any there is still a place for one, and it is zero.
    width = max(1, *(z.shape[1] for z in codes))
    found = np.zeros((len(codes), width, len(codes[0])))
    for place, z in zip(found, codes, strict=True):
        place[: z.shape[1]] = z.T
    return found


def _products(latents: Floats) -> Floats:
    """(M, Z, M, Z) the mean product of each latent (M, Z, N) with each other one."""
    flat = latents.reshape(-1, latents.shape[2])
    return np.asarray(flat @ flat.T / flat.shape[1]).reshape(*latents.shape[:2], *latents.shape[:2])


@SIMILARITIES.register("spearman")
def spearman(latents: Floats) -> Floats:
    """|Spearman's correlation| (M, M, Z, Z) of all latents (M, Z, N); constant ones have none."""
    ranks = rankdata(latents, axis=2)
    ranks -= ranks.mean(2, keepdims=True)
    spread = ranks.std(2, keepdims=True)
    ranks /= np.where(spread > 0, spread, 1.0)
    return np.asarray(np.abs(_products(ranks)).swapaxes(1, 2))


@SIMILARITIES.register("lasso")
def lasso(latents: Floats) -> Floats:
    """|Coefficients| (M, M, Z, Z) of a model's latents in the lasso of each other's.

    Each minimises ½ mean (b − a w)² + 0.1 |w|₁. Those of a model with itself are zero.

    Args:
        latents: (M, Z, N), standardised, or zero throughout where a model has no such latent.
    """
    products = _products(latents)
    models, width = latents.shape[:2]
    grams = products[np.arange(models), :, np.arange(models)]
    np.einsum("mii->mi", grams)[:] = 1.0
    model, other = np.nonzero(_others(models))
    # (Z, M (M − 1) Z): every latent of another model is a problem of its own.
    targets = products[model, :, other].transpose(1, 0, 2).reshape(width, -1)
    weights = _lasso(grams, np.repeat(model, width), targets)
    found = np.zeros((models, models, width, width))
    found[model, other] = np.abs(weights).reshape(width, -1, width).swapaxes(0, 1)
    return found


def _lasso(grams: Floats, which: NDArray[np.int64], targets: Floats) -> Floats:
    """The minima (Z, P) of ½ wᵀ G w − cᵀ w + 0.1 |w|₁.

    By cyclic coordinate descent on all problems that are left; once the signs are those of a
    minimum, it is a linear equation's.

    Args:
        grams: (M, Z, Z) with ones on the diagonal.
        which: (P,) of them is the problem's G.
        targets: (Z, P) the c of each.
    """
    weights = np.zeros_like(targets)
    left = np.arange(targets.shape[1])
    for _ in range(0, SWEEPS, EXACT):
        gram, wanted = grams[which[left]], targets[:, left]
        now, moved = _descend(gram.transpose(1, 2, 0).copy(), wanted, weights[:, left])
        exact, done = _exactly(gram, wanted.T, np.sign(now.T))
        weights[:, left] = np.where(done, exact.T, now)
        left = left[~done & (moved > SETTLED)]
        if not len(left):
            break
    return weights


def _descend(gram: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weights (Z, P) after a few sweeps, and each problem's furthest move (P,) in the last one.

    Args:
        gram: (Z, Z, P).
        target: (Z, P).
        weights: (Z, P) to begin with.
    """
    rest = target - np.einsum("ijp,jp->ip", gram, weights)
    for _ in range(EXACT):
        before = weights.copy()
        for j, row in enumerate(gram):
            best = rest[j] + weights[j]
            best -= np.minimum(np.maximum(best, -PENALTY), PENALTY)
            rest -= row * (best - weights[j])
            weights[j] = best
    return weights, np.abs(weights - before).max(0, initial=0.0)


def _exactly(gram: Floats, target: Floats, signs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The minima (P, Z) of those problems that have one of such signs, and which they are (P,).

    Where the signs are not quite those of a minimum, they are put right by its conditions, twice.

    Args:
        gram: (P, Z, Z).
        target: (P, Z).
        signs: (P, Z).
    """
    found, done = np.zeros_like(target), np.zeros(len(target), dtype=bool)
    left = np.arange(len(target))
    for _ in range(TRIES):
        G, c = gram[left], target[left]
        active = signs != 0
        systems = np.where(active[:, :, None] & active[:, None], G, 0.0)
        # A hair on the diagonal lets latents that repeat each other share a weight.
        np.einsum("pii->pi", systems)[:] = 1.0 + HAIR
        weights = np.linalg.solve(systems, np.where(active, c - PENALTY * signs, 0.0)[..., None])
        slope = c - (G @ weights)[..., 0]
        weights = weights[..., 0]
        right = ((np.sign(weights) == signs) & (np.abs(slope) <= PENALTY + SETTLED)).all(1)
        found[left[right]], done[left[right]] = weights[right], True
        wanted = weights + slope
        signs = np.where(np.abs(wanted) > PENALTY, np.sign(wanted), 0.0)[~right]
        left = left[~right]
        if not len(left):
            break
    return found, done
