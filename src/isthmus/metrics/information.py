"""What a code carries: bits, active units, and how the rate splits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError

Floats = NDArray[np.float64]
T = TypeVar("T", float, NDArray[np.float64])


def bits(nats: T) -> T:
    """Nats as bits: nats / ln 2."""
    return nats / math.log(2)


def active_units(means: ArrayLike, threshold: float = 1e-2) -> NDArray[np.bool_]:
    """The latent dimensions that answer to the data: Var_x(E_q[z_j | x]) > threshold.

    Args:
        means: (N, *Z) posterior means.
        threshold: The least variance that counts, in squared units of the code.

    Returns:
        (*Z), True where the dimension is active.

    Raises:
        DataError: There are no rows.

    Reference:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 1509.00519.
    """
    codes = np.asarray(means, dtype=np.float64)
    if codes.ndim < 2 or len(codes) == 0:
        raise DataError(
            f"The posterior means have shape {codes.shape}; expected (N, Z), N at least 1."
        )
    return np.asarray(codes.var(axis=0) > threshold)


def bits_per_dim(log_likelihood: float, size: int, log_step: float = 0.0) -> float:
    """The bits of one element: (D · log_step − log p(u)) / (D ln 2).

    A model of u = x / step, or of u = (x + noise) / step with noise in [0, 1) added to whole levels
    x, has a density that is larger than that of x by the factor step in each of the D dimensions.
    In levels, a cell has the volume 1, so that for data spread evenly over their cells the figure
    bounds the bits that the levels take; log p(u) of levels as they are, unspread, is a density and
    bounds nothing.

    Args:
        log_likelihood: Mean log p(u) in nats.
        size: D.
        log_step: ln(step): ln 256 for bytes that were spread and divided by 256, ln 255 for bytes
            divided by 255, 0 for data that the model sees in their own units and for counts,
            categories and zeros and ones, whose log p is that of the data themselves.

    Reference:
        Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models, arXiv
        1511.01844, section 3.1.
    """
    return (log_step - log_likelihood / size) / math.log(2)


@final
class Surgery(NamedTuple):
    """The rate of each of N data in parts, in nats; their means are the figures.

    rate = information + marginal, and marginal = total_correlation + Σ_j per_dimension where the
    prior factorises.

    Args:
        rate: (N,) log q(z|x) − log p(z).
        information: (N,) log q(z|x) − log q(z): their mean is a lower bound on I(x; z), and none is
            above log N.
        upper: (N,) the same with each datum left out of the q(z) that it is held against: an upper
            bound. NaN for one datum.
        marginal: (N,) log q(z) − log p(z), of KL(q(z) ‖ p(z)).
        total_correlation: (N,) log q(z) − Σ_g log q(z_g) over the groups; 0 for one group.
        per_dimension: (N, G) log q(z_g) − log p(z_g); NaN where p(z) has other groups than q(z|x).
    """

    rate: Floats
    information: Floats
    upper: Floats
    marginal: Floats
    total_correlation: Floats
    per_dimension: Floats


def elbo_surgery(conditional: Callable[[slice], Floats], log_prior: Floats, chunk: int) -> Surgery:
    """Split the rate by the aggregated posterior q(z) = 1/N Σ_n q(z|x_n), exactly over N data.

    One z_i is drawn for each x_i. The mean of log q(z_i|x_i) / q(z_i) is the information that z
    carries on which of the N data it is of; on I(x; z) for data of which these N are a sample, it
    is a lower bound in expectation, and with the datum's own posterior left out of q(z_i), an
    upper one.

    Args:
        conditional: The rows of a slice -> (C, N, G) log q(z_ig|x_n) in nats, by dimension where
            q(z|x) factorises, G = Z, and in one group G = 1 where it does not.
        log_prior: (N, G) log p(z_ig), in one group G = 1 where the prior does not factorise.
        chunk: C, the rows taken at once; memory grows with C N G.

    Returns:
        By datum. Time grows with N² Z.

    Raises:
        DataError: There are no rows.

    Reference:
        Hoffman & Johnson, ELBO Surgery (2016); Chen et al., Isolating Sources of Disentanglement,
        arXiv 1802.04942; Poole et al., On Variational Bounds of Mutual Information, arXiv
        1905.06922, section 2.1.
    """
    n = len(log_prior)
    if n == 0:
        raise DataError("The rate of no data cannot be split; at least one row is needed.")
    own, whole, others, marginals = [], [], [], []
    for start in range(0, n, chunk):
        rows = np.arange(start, min(start + chunk, n))
        by_group = conditional(slice(start, start + len(rows)))
        joint = by_group.sum(2)
        at = (np.arange(len(rows)), rows)
        own.append(joint[at])
        whole.append(_log_mean(joint))
        marginals.append(_log_mean(by_group))
        joint[at] = -math.inf
        others.append(_log_mean(joint) + math.log(n / (n - 1)) if n > 1 else joint[at] * math.nan)
    q, q_others = np.concatenate(whole), np.concatenate(others)
    given, dimensions = np.concatenate(own), np.concatenate(marginals)
    prior = log_prior.sum(1)
    together = log_prior.shape[1] == dimensions.shape[1]
    return Surgery(
        rate=given - prior,
        information=given - q,
        upper=given - q_others,
        marginal=q - prior,
        total_correlation=q - dimensions.sum(1),
        per_dimension=dimensions - log_prior if together else np.full_like(dimensions, math.nan),
    )


def _log_mean(logs: Floats) -> Floats:
    """Log of the mean exponential over the second axis."""
    largest = np.maximum(logs.max(1, keepdims=True), -1e300)
    with np.errstate(divide="ignore"):
        result: Floats = np.log(np.exp(logs - largest).mean(1)) + largest[:, 0]
    return result
