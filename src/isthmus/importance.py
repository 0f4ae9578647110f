"""log p(x) by importance sampling, with exactly the samples asked for and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions import Stratified
from isthmus.errors import OptionError

# Elements of the decoder's output that one chunk of importance samples may hold: 4 MiB of float32,
# which stay in a CPU's cache. A GPU gets this many times more, so that its launches are worth
# their while.
CHUNK_ELEMENTS = 1 << 20
ON_A_GPU = 16


class ImportanceEstimate(NamedTuple):
    """Estimates of log p(x) from S weights each, in nats.

    Args:
        log_likelihood: (B,) log mean_S w, a lower bound in expectation.
        error: (B,) its standard error by the delta method, sd(w) / (mean(w) sqrt(S)); NaN for one
            sample. It is far too small itself where `effective` is.
        effective: (B,) the effective sample size (Σ w)² / Σ w², from 1 to S.
    """

    log_likelihood: Tensor
    error: Tensor
    effective: Tensor


def importance_estimate(
    x: Tensor,
    q: Distribution,
    p: Distribution,
    generate: Callable[[Tensor], Distribution],
    samples: int,
) -> ImportanceEstimate:
    """The estimate log mean_S p(x, z_s) / q(z_s|x) of log p(x), z_s ~ q, by datum (B,).

    Args:
        x: (B, *D).
        q: q(z|x), batch (B,).
        p: p(z), batch () or (B,).
        generate: z (S, B, *Z) -> p(x|z), batch (S, B).
        samples: S; of a stratified q each stratum gets its share, at least one.

    Raises:
        OptionError: Not even one sample was asked for.

    Reference:
        Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519.
    """
    if samples < 1:
        raise OptionError(f"log p(x) needs at least one importance sample, got samples={samples}.")
    estimate = _over_strata if isinstance(q, Stratified) else _within
    return estimate(x, q, p, generate, samples)


def of_log_weights(log_weights: Tensor) -> ImportanceEstimate:
    """The estimate from log weights (S, B)."""
    first, second = torch.logsumexp(log_weights, 0), torch.logsumexp(2.0 * log_weights, 0)
    return _of_sums(first, second, len(log_weights))


def _of_sums(first: Tensor, second: Tensor, samples: int) -> ImportanceEstimate:
    """The estimate from log Σ w and log Σ w² (B,) over S weights."""
    # Where no draw is possible at all, one draw stands for none.
    effective = (2.0 * first - second).exp().nan_to_num(1.0).clamp(1.0, float(samples))
    variance = (samples / effective - 1.0) / (samples - 1.0 if samples > 1 else math.nan)
    return ImportanceEstimate(first - math.log(samples), variance.sqrt(), effective)


def _within(
    x: Tensor,
    q: Distribution,
    p: Distribution,
    generate: Callable[[Tensor], Distribution],
    samples: int,
) -> ImportanceEstimate:
    """The estimate from one q, in chunks."""
    elements = CHUNK_ELEMENTS if x.device.type == "cpu" else ON_A_GPU * CHUNK_ELEMENTS
    chunk = max(1, elements // max(1, x.numel()))
    first, second = [], []
    for start in range(0, samples, chunk):
        z = q.rsample(torch.Size((min(chunk, samples - start),)))
        weights = generate(z).log_prob(x) + p.log_prob(z) - q.log_prob(z)
        first.append(torch.logsumexp(weights, 0))
        second.append(torch.logsumexp(2.0 * weights, 0))
    return _of_sums(
        torch.logsumexp(torch.stack(first), 0), torch.logsumexp(torch.stack(second), 0), samples
    )


def _over_strata(
    x: Tensor,
    q: Distribution,
    p: Distribution,
    generate: Callable[[Tensor], Distribution],
    samples: int,
) -> ImportanceEstimate:
    """Log Σ_y of the estimates of p(x, y), which no draw of y blurs."""
    strata = cast(Stratified, q).strata()
    share = -(-samples // len(strata))
    parts = [(_within(x, part, p, generate, share), possible) for part, possible in strata]
    logs = torch.stack([found.log_likelihood.where(fits, -math.inf) for found, fits in parts])
    errors = torch.stack([found.error for found, _ in parts])
    # The variances of a sum add up, each by its part of the sum.
    error = (torch.softmax(logs, 0).nan_to_num(0.0) * errors).square().sum(0).sqrt()
    drawn = share * len(strata)
    effective = (1.0 / (error.square() + 1.0 / drawn)).nan_to_num(1.0)
    return ImportanceEstimate(torch.logsumexp(logs, 0), error, effective)
