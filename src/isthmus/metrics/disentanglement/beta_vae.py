"""The BetaVAE score: can a linear classifier tell which factor two data share?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from isthmus.errors import DataError, OptionError
from isthmus.metrics.checks import Floats
from isthmus.metrics.disentanglement.inputs import TEST, TRAIN, Ints
from isthmus.metrics.disentanglement.interventions import Interventions
from isthmus.metrics.disentanglement.logistic import Logistic

# Codes that are held at once, at most: so many lie in a cache.
HELD = 1 << 15


def parts(counts: Ints, each: int) -> Iterator[tuple[int, int]]:
    """(factor, points) in portions of at most `HELD` codes, `each` codes to a point."""
    most = max(HELD // each, 1)
    for factor, count in enumerate(counts):
        for first in range(0, int(count), most):
            yield factor, min(most, int(count) - first)


def how_often(sampler: Interventions, points: int, random: Generator) -> Ints:
    """How many of the points hold each factor fixed."""
    if points < 1:
        raise OptionError(f"{points} points were asked for; at least 1 is needed.")
    return random.multinomial(points, np.full(sampler.n_factors, 1 / sampler.n_factors))


def beta_vae_score(
    sampler: Interventions, *, seed: int, train: int = TRAIN, test: int = TEST, batch: int = 64
) -> float:
    """The accuracy of logistic regression on mean |z − z'| of pairs that share one factor.

    Args:
        sampler: `Rows(codes, factors)` or a `Grid`.
        seed: Of the draws.
        train: Points that the classifier is fitted on.
        test: Points that it is scored on.
        batch: Pairs that a point is the mean of.

    Returns:
        From about 1 / F, which is chance, to 1.

    Raises:
        DataError: There is one factor, so that there is nothing to tell apart.
        OptionError: A number of points or pairs is less than 1.

    Reference:
        Higgins et al., beta-VAE, ICLR 2017 (openreview Sy2fzU9gl); protocol of Locatello et al.,
        arXiv 1811.12359.
    """
    if sampler.n_factors < 2:
        raise DataError(
            "The BetaVAE score tells factors apart and there is one; use mig or dci for it."
        )
    if batch < 1:
        raise OptionError(f"batch={batch} pairs; at least 1 is needed.")
    random = np.random.default_rng(seed)
    fitted = Logistic.fit(*_points(sampler, train, batch, random))
    points, labels = _points(sampler, test, batch, random)
    return float((fitted.predict(points) == labels).mean())


def _points(sampler: Interventions, n: int, batch: int, random: Generator) -> tuple[Floats, Ints]:
    """Mean absolute differences (n, Z) and the factor that each point shares (n,)."""
    counts = how_often(sampler, n, random)
    found = []
    for factor, count in parts(counts, 2 * batch):
        pairs = sampler.sharing(factor, count * batch, 2, random)
        apart = pairs[:, 0] - pairs[:, 1]
        np.abs(apart, out=apart)
        found.append(np.einsum("nbz->nz", apart.reshape(count, batch, -1)) / batch)
    return np.concatenate(found), np.repeat(np.arange(sampler.n_factors), counts)
