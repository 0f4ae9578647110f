"""How far log p(x) can be trusted: effective samples, annealing, the sandwich, inference gaps."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from isthmus.annealing import Annealing, annealed_log_likelihood, bdmc
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.columns import Column
from isthmus.evaluation.gaps import inference_gaps
from isthmus.evaluation.measures.base import MINUTES, SECONDS, measure
from isthmus.evaluation.measures.tables import LIKELIHOOD
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.metrics import bits_per_dim, mean_and_error
from isthmus.metrics.estimates import Estimate
from isthmus.model import LatentModel
from isthmus.training.devices import own_random_state

# Below so many effective samples a weight or two decide, and the error cannot be read off them.
FEW = 10.0
# Data that are annealed, and of the model's own making in the sandwich.
ANNEALED_ROWS = 32
HOW = Annealing(chains=8, steps=200)
# A sandwich within so many nats is closed.
CLOSED = 1.0


@measure(
    "bits-per-dim",
    Column(
        "bits_dim",
        "bits/dim",
        "bits",
        -1,
        3,
        "−log p(x) by element of a held-out datum.",
        of_data=True,
    ),
    Column("ess", "effective", "samples", 1, 1, "Effective importance samples, their median."),
    table=LIKELIHOOD,
    cost=SECONDS,
)
def bits_by_element(subject: Subject) -> Answers:
    """−log p(x) in bits by element, and how many importance samples carry it."""
    units, found = subject.question.units, subject.likely
    mean, error = mean_and_error(found.log_likelihood)
    size = units.spec.size
    bits = Estimate(bits_per_dim(mean, size, units.log_step), error / (size * math.log(2)))
    answers = Answers(values={"bits_dim": bits})
    samples = subject.density.samples
    if samples:
        answers.values["ess"] = Estimate(float(np.median(found.effective)), math.nan)
        answers.words += few_effective(found.effective, samples)
    else:
        answers.why_missing["ess"] = f"{subject.candidate.name} knows log p(x) exactly"
    return answers


def few_effective(effective: Floats, samples: int) -> list[str]:
    """A sentence where too few importance samples carry an estimate."""
    few, n = int((effective < FEW).sum()), len(effective)
    if not few:
        return []
    return [
        f"log p(x) is not to be trusted on {few:,} of {n:,} held-out data: fewer than {FEW:.0f} of "
        f"{samples:,} importance samples carry it there, so that it lies below the truth by more "
        "than its standard error says. Take more samples, or the measure annealed."
    ]


@measure(
    "annealed",
    Column(
        "nll_annealed",
        "NLL, annealed",
        "nats",
        -1,
        2,
        "Negative log-likelihood by annealing.",
        of_data=True,
    ),
    Column(
        "nll_excess",
        "sampling's excess",
        "nats",
        -1,
        2,
        "NLL by importance sampling minus NLL by annealing, on the same data.",
    ),
    table=LIKELIHOOD,
    cost=MINUTES,
)
def annealed(subject: Subject) -> Answers:
    """Log p(x) by annealed importance sampling, beside importance sampling on the same data."""
    model, x = _annealable(subject)
    with own_random_state(x.device, subject.question.seed):
        found = annealed_log_likelihood(model, x, HOW, condition=subject.given(len(x)))
    log_p = as_floats(found.log_likelihood)
    nll = subject.question.units.log_cells - log_p
    excess = log_p - subject.likely.log_likelihood[: len(x)]
    return Answers(
        values={"nll_annealed": mean_and_error(nll), "nll_excess": mean_and_error(excess)},
        words=[
            f"Annealed: {len(x):,} held-out data, {HOW.chains} chains each, {HOW.steps} steps, a "
            f"median of {np.median(as_floats(found.effective)):.1f} effective chains."
        ],
    )


@measure(
    "bdmc",
    Column("bdmc_lower", "log p, from below", "nats", 0, 2, "Of data that the model made itself."),
    Column("bdmc_upper", "log p, from above", "nats", 0, 2, "Of the same data."),
    Column("bdmc_gap", "sandwich", "nats", -1, 2, "How far the two bounds stand apart."),
    table=LIKELIHOOD,
    cost=MINUTES,
)
def sandwich(subject: Subject) -> Answers:
    """The sandwich of log p(x) by bidirectional Monte Carlo, on data that the model made."""
    model, x = _annealable(subject)
    with own_random_state(x.device, subject.question.seed):
        sides = bdmc(model, len(x), HOW, condition=subject.given(len(x)))
    lower, upper = as_floats(sides.lower), as_floats(sides.upper)
    gap = mean_and_error(upper - lower)
    how = f"{len(lower):,} data of its own making, {HOW.chains} chains, {HOW.steps} steps"
    said = (
        f"The sandwich closes to {gap.value:.2f} ± {gap.error:.2f} nats ({how}): annealing can be "
        "trusted that far."
        if gap.value < CLOSED
        else f"The sandwich stays open by {gap.value:.1f} nats ({how}): NLL may be too high by as "
        "much; take isthmus.annealing.bdmc with more steps."
    )
    return Answers(
        values={
            "bdmc_lower": mean_and_error(lower),
            "bdmc_upper": mean_and_error(upper),
            "bdmc_gap": gap,
        },
        words=[said],
    )


@measure(
    "gaps",
    Column(
        "gap_amortisation",
        "amortisation gap",
        "nats",
        -1,
        2,
        "What a better encoder could gain without another family of posteriors.",
    ),
    Column(
        "gap_approximation",
        "approximation gap",
        "nats",
        -1,
        2,
        "What only a richer family of posteriors could gain.",
    ),
    table=LIKELIHOOD,
    cost=MINUTES,
)
def gaps(subject: Subject) -> Answers:
    """What the bound loses to the encoder, and what to the family of its posteriors."""
    model, x = _annealable(subject)
    with own_random_state(x.device, subject.question.seed):
        found = inference_gaps(model, x, annealing=HOW, condition=subject.given(len(x)))
    return Answers(
        values={
            "gap_amortisation": mean_and_error(as_floats(found.gap)),
            "gap_approximation": mean_and_error(as_floats(found.approximation)),
        }
    )


def _annealable(subject: Subject) -> tuple[LatentModel, Tensor]:
    """The model, and the few data that it is annealed on."""
    model = subject.model
    return model, tensor_for(model, subject.question.test[:ANNEALED_ROWS])
