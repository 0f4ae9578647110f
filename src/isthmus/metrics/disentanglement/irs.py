"""The interventional robustness score: does a latent move when other factors do?"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import ArrayLike

from isthmus.errors import OptionError
from isthmus.metrics.checks import Floats, as_rows, same_length
from isthmus.metrics.disentanglement.inputs import BINS, TRAIN, Ints, discretise, draw_rows


@final
class Robustness(NamedTuple):
    """The score (0 to 1), and how far each factor explains each varying latent (Z', F)."""

    score: float
    matrix: Floats


def irs(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    seed: int = 0,
    rows: int = TRAIN,
    bins: int = BINS,
    quantile: float = 0.99,
) -> Robustness:
    """1 − how far a latent strays while a factor is fixed / how far it strays at all.

    A latent's score is that of the factor that explains most of it; latents are weighted by how far
    they stray, and constant ones left out.

    Args:
        codes: (N, Z) posterior means.
        factors: (N, F), continuous or not: they are binned like the codes of other measures.
        seed: Of the rows that are drawn where there are more than `rows`.
        rows: Rows that are looked at, at most.
        bins: Of each factor.
        quantile: Of |z − E[z | f]| that counts as how far; 1 is the paper's largest.

    Returns:
        A score of 1 where a factor alone moves each latent; 0 where all latents are constant.

    Raises:
        DataError: The arrays do not fit, or hold NaN.
        OptionError: The quantile is not between 0 and 1.

    Reference:
        Suter et al., Robustly Disentangled Causal Mechanisms, arXiv 1811.00007.
    """
    if not 0 <= quantile <= 1:
        raise OptionError(f"The quantile is {quantile}; it must lie between 0 and 1.")
    z, f = as_rows(codes, "codes"), as_rows(factors, "factors")
    same_length(z, f, "codes and factors")
    if len(z) > rows:
        drawn = draw_rows(len(z), rows, seed)
        z, f = z[drawn], f[drawn]
    latents = _varying(z)
    if not len(latents):
        return Robustness(0.0, np.zeros((0, f.shape[1])))
    furthest = _largest_deviation(latents)
    strays = np.stack([_strays(latents, column, quantile) for column in discretise(f, bins).T], 1)
    matrix = 1.0 - strays / furthest[:, None]
    return Robustness(float(np.average(matrix.max(1), weights=furthest)), matrix)


def _varying(z: Floats) -> Floats:
    """(Z', N) the latents of z (N, Z) that are not constant, each in one piece of memory."""
    latents = np.ascontiguousarray(z.T)
    varies = latents.max(1) > latents.min(1)
    return latents if varies.all() else latents[varies]


def _largest_deviation(z: Floats) -> Floats:
    """(Z,) the largest |z − mean| of each row of z (Z, N)."""
    mean = z.mean(1)
    return np.maximum(z.max(1) - mean, mean - z.min(1))


def _strays(z: Floats, values: Ints, quantile: float) -> Floats:
    """(Z,) the mean over the factor's values (N,) of how far each latent (Z, N) strays at one."""
    # Whole numbers of few bits are sorted in one pass.
    order = np.argsort(values.astype(np.min_scalar_type(values.max())), kind="stable")
    ends = np.cumsum(np.bincount(values))
    ends = ends[np.diff(ends, prepend=0) > 0]
    parts = np.split(order, ends[:-1])
    return np.asarray(sum(_furthest(z.take(part, axis=1), quantile) for part in parts) / len(parts))


def _furthest(z: Floats, quantile: float) -> Floats:
    """The quantile of |z − mean| of each row of z (Z, n), linear between the two nearest.

    z is written over.
    """
    distances = torch.from_numpy(z)
    distances.sub_(distances.mean(1, keepdim=True)).abs_()
    place = (z.shape[1] - 1) * quantile
    low = int(place)
    # PyTorch finds the largest few without parting all the others.
    top = distances.topk(z.shape[1] - low, dim=1).values.numpy()
    return np.asarray(top[:, -1] + (place - low) * (top[:, -2:][:, 0] - top[:, -1]))
