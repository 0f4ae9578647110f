"""The FactorVAE score: does one latent hold still when one factor does?"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from isthmus.errors import OptionError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.beta_vae import how_often, parts
from isthmus.metrics.disentanglement.inputs import TEST, TRAIN, Ints
from isthmus.metrics.disentanglement.interventions import Interventions


def factor_vae_score(
    sampler: Interventions,
    *,
    seed: int,
    train: int = TRAIN,
    test: int = TEST,
    batch: int = 64,
    least_spread: float = 0.05,
    rows: int = TRAIN,
) -> float:
    """The accuracy of a majority vote from the stillest latent to the factor held fixed.

    A vote holds a random factor fixed over `batch` data; its latent is that of the least variance
    over the batch, relative to its variance over all data.

    Args:
        sampler: `Rows(codes, factors)` or a `Grid`.
        seed: Of the draws.
        train: Votes that settle which factor each latent stands for.
        test: Votes that are scored.
        batch: Data in a vote.
        least_spread: Latents of a smaller standard deviation do not vote.
        rows: Data that the variances over all are taken from.

    Returns:
        From about 1 / F to 1; 0 where no latent varies.

    Raises:
        OptionError: A number of votes is less than 1, or one of data less than 2.

    Reference:
        Kim & Mnih, Disentangling by Factorising, arXiv 1802.05983; protocol of Locatello et al.,
        arXiv 1811.12359.
    """
    if batch < 2 or rows < 2:
        raise OptionError(f"batch={batch} and rows={rows}; a variance needs at least 2 data.")
    random = np.random.default_rng(seed)
    variance = sampler.draw(rows, random).var(0, ddof=1)
    active = (np.sqrt(variance) >= least_spread) & (variance > 0)
    if not active.any():
        return 0.0
    winners = _votes(sampler, train, batch, variance, active, random).argmax(1)
    votes = _votes(sampler, test, batch, variance, active, random)
    return float(votes[np.arange(len(votes)), winners].sum() / votes.sum())


def _votes(
    sampler: Interventions,
    n: int,
    batch: int,
    variance: Floats,
    active: np.ndarray,
    random: Generator,
) -> Ints:
    """(latents, factors) how often each latent was stillest while each factor was fixed."""
    votes = np.zeros((int(active.sum()), sampler.n_factors), dtype=np.int64)
    for factor, count in parts(how_often(sampler, n, random), batch):
        codes = sampler.sharing(factor, count, batch, random)
        spread = codes.var(1, ddof=1)[:, active] / variance[active]
        votes[:, factor] += np.bincount(spread.argmin(1), minlength=len(votes))
    return votes
