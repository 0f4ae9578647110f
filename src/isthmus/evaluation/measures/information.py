"""How many bits the code carries, where they go, and what is wrong where they do not."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from torch import Tensor
from torch.distributions import Distribution

from isthmus.answering import answering
from isthmus.conditions import reads_condition
from isthmus.distributions import EventDistribution
from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.columns import Column
from isthmus.evaluation.diagnosis import LEAST_BITS, collapse
from isthmus.evaluation.measures.base import INSTANT, SECONDS, measure
from isthmus.evaluation.measures.tables import INFORMATION
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.metrics import (
    Surgery,
    bits,
    code_perplexity,
    code_usage,
    elbo_surgery,
    mean_and_error,
)
from isthmus.metrics.estimates import Estimate
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.training.devices import own_random_state

# Data that make the aggregated posterior, at most: time grows with their square.
AGGREGATED_ROWS = 2000
# Log densities of single numbers that are taken for it, at most: codes that are maps have many.
AGGREGATED_ELEMENTS = 1 << 30
# Elements that are held at once: of a table of log densities, and of the encoder's input.
TABLE_ELEMENTS = 1 << 22
# Bits below log N at which the information stands under its ceiling.
CEILING_BITS = 1.0


@measure(
    "information",
    Column("mi", "I(x; z), at least", "bits", 0, 2, "Mutual information of data and codes."),
    Column(
        "mi_upper",
        "I(x; z), at most",
        "bits",
        0,
        2,
        "An upper bound in expectation, never above the rate.",
    ),
    Column(
        "marginal_kl",
        "KL(q(z) ‖ p(z))",
        "bits",
        -1,
        2,
        "The rest of the rate: codes off the prior.",
    ),
    Column(
        "total_correlation", "total correlation", "bits", -1, 2, "Of it, what dimensions share."
    ),
    Column(
        "dimension_kl", "Σ KL by dimension", "bits", -1, 2, "Of it, what each has off the prior."
    ),
    table=INFORMATION,
    cost=SECONDS,
)
def information(subject: Subject) -> Answers:
    """How the rate splits: what codes tell of the data, and how far they lie off the prior."""
    model = subject.model
    if not model.posterior.has_density:
        raise UnsupportedError(subject.candidate.why_no_density)
    if model.posterior.joint_density:
        raise UnsupportedError(
            f"log q(z|x) of {type(model.posterior).__name__} is none of z alone, so that it has no "
            "aggregate"
        )
    if reads_condition(model.prior):
        raise UnsupportedError(
            f"the prior of {subject.candidate.name} depends on the condition, and the codes of "
            "all data are held against one prior"
        )
    rows = min(AGGREGATED_ROWS, math.isqrt(AGGREGATED_ELEMENTS // subject.candidate.latent_dim))
    x = tensor_for(model, subject.question.test[: max(rows, 2)])
    with own_random_state(x.device, subject.question.seed):
        parts = surgery(model, x, subject.given(len(x)))
    answers = Answers(
        values={
            "mi": _mean_bits(parts.information),
            "mi_upper": _upper(parts),
            "marginal_kl": _mean_bits(parts.marginal),
        },
        words=_on_the_ceiling(parts),
    )
    if not model.posterior.factorised:
        why = "q(z|x) has no independent dimensions"
        answers.why_missing = {"total_correlation": why, "dimension_kl": why}
        return answers
    answers.values["total_correlation"] = _mean_bits(parts.total_correlation)
    if np.isfinite(parts.per_dimension).all():
        answers.values["dimension_kl"] = _mean_bits(parts.per_dimension.sum(1))
        answers.arrays["marginals"] = bits(parts.per_dimension.mean(0))
    else:
        answers.why_missing["dimension_kl"] = "the prior has no independent dimensions"
    return answers


def surgery(model: LatentModel, x: Tensor, condition: Tensor | None = None) -> Surgery:
    """The rate of x (N, *D), in the data's units, in parts by the posterior aggregated over x.

    Args:
        model: Its posterior has a density of z alone.
        x: All are held at once.
        condition: (N, C), for a conditional model whose prior does not read it; a datum is then x
            and its condition together.
    """
    with answering(model):
        u = model.scaling(x)
        q, p = model.infer(u, condition), model.code_prior()
        z = q.sample()
        q, p = _apart(q, model.posterior.factorised), _apart(p, model.posterior.factorised)
        groups = z[0].numel() if model.posterior.factorised else 1

        def conditional(rows: slice) -> Floats:
            return as_floats(q.log_prob(z[rows].unsqueeze(1)).reshape(-1, len(x), groups))

        log_prior = as_floats(p.log_prob(z).reshape(len(x), -1))
        chunk = max(1, TABLE_ELEMENTS // (len(x) * z[0].numel()))
        return elbo_surgery(conditional, log_prior, chunk)


def _apart(distribution: Distribution, factorised: bool) -> Distribution:
    """By dimension, where it can be taken apart."""
    if factorised and isinstance(distribution, EventDistribution):
        return distribution.elementwise()
    return distribution


def _mean_bits(nats: Floats) -> Estimate:
    mean, error = mean_and_error(nats)
    return Estimate(bits(mean), bits(error))


def _upper(parts: Surgery) -> Estimate:
    """The closer of two upper bounds on the information: each datum left out, and the rate."""
    bounds = [parts.rate, parts.upper]
    return min(map(_mean_bits, bounds), key=lambda bound: bound.value)


def _on_the_ceiling(parts: Surgery) -> list[str]:
    """A sentence where the number of data, and not the code, sets the figure."""
    n = len(parts.information)
    ceiling, found = math.log2(n), bits(float(parts.information.mean()))
    if found < ceiling - CEILING_BITS:
        return []
    return [
        f"The mutual information of {found:.1f} bits stands at its ceiling: codes of {n:,} data "
        f"cannot show more than log2({n:,}) = {ceiling:.1f} bits, so that the true figure lies "
        f"between that and the upper bound, and KL(q(z) ‖ p(z)) is too high by the difference."
    ]


@measure(
    "dimensions",
    Column(
        "idle", "idle", "", -1, 0, f"Latent dimensions that carry under {LEAST_BITS} bits each."
    ),
    table=INFORMATION,
    cost=INSTANT,
)
def dimensions(subject: Subject) -> Answers:
    """What each dimension carries, and a diagnosis where some carry nothing."""
    density = subject.density
    if density.rate_per_dimension is None:
        raise UnsupportedError(f"the rate of {subject.candidate.name} does not split")
    rates = bits(density.rate_per_dimension(subject.question.test, subject.condition))
    if len(rates) == 1 < subject.candidate.latent_dim:
        raise UnsupportedError("the rate does not split by dimension")
    said = collapse(rates, subject.candidate.options)
    idle = Estimate(float((rates < LEAST_BITS).sum()), math.nan)
    return Answers(
        values={"idle": idle},
        arrays={"rates": np.sort(rates)[::-1]},
        words=[said] if said else [],
    )


@measure(
    "codes",
    Column("usage", "codes in use", "", 1, 3, "Share of the codebook that held-out data use."),
    Column("perplexity", "perplexity", "codes", 1, 1, "Effective number of codes in use."),
    table=INFORMATION,
)
def codes(subject: Subject) -> Answers:
    """How a discrete code uses its codebook."""
    integers = subject.integers
    if integers is None:
        raise UnsupportedError("the codes are no integers")
    posterior = cast(DiscretePosterior, subject.model.posterior)
    columns = integers.reshape(-1, posterior.books)
    found = {
        "usage": code_usage(columns, posterior.n_codes),
        "perplexity": code_perplexity(columns, posterior.n_codes),
    }
    return Answers(values={key: Estimate(value, math.nan) for key, value in found.items()})
