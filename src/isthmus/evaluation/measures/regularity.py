"""Is the latent space continuous, complete and smooth, and do its codes fill the prior?"""

from __future__ import annotations

import math

import numpy as np

from isthmus.errors import UnsupportedError
from isthmus.evaluation.columns import Column
from isthmus.evaluation.latents import paths, posterior_codes, prior_codes
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import LATENT, SAMPLES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.metrics import (
    continuity,
    mmd,
    path_smoothness,
    prdc,
    trustworthiness,
    two_sample_auc,
)
from isthmus.metrics.estimates import Estimate

# Held-out data whose neighbours are ranked, at most: time grows with their square.
NEIGHBOUR_ROWS = 1500
NEAR, WIDE = 5, 50
# Pairs of held-out data that are joined, and points on the way.
PAIRS, STEPS = 200, 17
# Codes from the prior and from posteriors that are held against each other, at most.
PRIOR_ROWS = 1000
FEWEST = 8


@measure(
    "neighbourhoods",
    Column(
        "trust",
        f"trustworthiness, k {NEAR}",
        "",
        1,
        3,
        "Whether neighbours among codes are neighbours among data; 1 is always.",
    ),
    Column(
        "trust_wide",
        f"trustworthiness, k {WIDE}",
        "",
        1,
        3,
        "The same of wider neighbourhoods.",
    ),
    Column(
        "continuity",
        f"continuity, k {NEAR}",
        "",
        1,
        3,
        "Whether neighbours among data are neighbours among codes; 1 is always.",
    ),
    Column(
        "continuity_wide",
        f"continuity, k {WIDE}",
        "",
        1,
        3,
        "The same of wider neighbourhoods.",
    ),
    table=LATENT,
    cost=SECONDS,
)
def neighbourhoods(subject: Subject) -> Answers:
    """Whether near data have near codes, and near codes belong to near data."""
    x = subject.features(subject.question.clean[:NEIGHBOUR_ROWS])
    z = subject.codes[:NEIGHBOUR_ROWS]
    answers = Answers()
    for k, ending in ((NEAR, ""), (WIDE, "_wide")):
        if k >= len(x) / 2:
            why = f"{len(x)} held-out data are too few for {k} neighbours"
            answers.why_missing |= {f"{name}{ending}": why for name in ("trust", "continuity")}
            continue
        answers.values[f"trust{ending}"] = Estimate(trustworthiness(x, z, k), math.nan)
        answers.values[f"continuity{ending}"] = Estimate(continuity(x, z, k), math.nan)
    return answers


@measure(
    "completeness",
    Column("precision", "precision", "", 1, 3, "Share of samples that lie among held-out data."),
    Column("recall", "recall", "", 1, 3, "Share of held-out data that lie among samples."),
    Column(
        "density",
        "density",
        "",
        1,
        3,
        "How densely held-out data surround samples; 1 as real ones.",
        ideal=1.0,
    ),
    Column(
        "coverage",
        "coverage",
        "",
        1,
        3,
        "Share of held-out data with a sample near by; about 0.97 for real ones.",
    ),
    table=SAMPLES,
    cost=SECONDS,
)
def completeness(subject: Subject) -> Answers:
    """Whether codes from the prior decode to plausible data, and to all kinds of them."""
    real, drawn = subject.features(subject.real), subject.features(subject.drawn)
    if len(real) < FEWEST:
        raise UnsupportedError(f"{len(real)} held-out data are too few to lie among")
    found = prdc(real, drawn, seed=subject.question.seed)
    # Shares of this many rows.
    error = {
        key: math.sqrt(max(value * (1 - value), 0.0) / len(real))
        for key, value in found._asdict().items()
    }
    error["density"] = math.nan
    return Answers(
        values={key: Estimate(value, error[key]) for key, value in found._asdict().items()}
    )


@measure(
    "interpolations",
    Column(
        "stretch",
        "stretch",
        "",
        -1,
        3,
        "Length of a decoded path between two data over their distance; 1 is straight.",
    ),
    Column("jump", "jump", "", -1, 2, "Longest step of such a path over its mean step; 1 is even."),
    Column(
        "lipschitz_spread",
        "Lipschitz spread",
        "",
        -1,
        2,
        "How much more than usual a step in the code can change the data: 95th percentile over "
        "median.",
    ),
    table=LATENT,
    cost=SECONDS,
)
def interpolations(subject: Subject) -> Answers:
    """How evenly data change along the way between the codes of two held-out data."""
    codes = subject.codes
    random = np.random.default_rng(subject.question.seed)
    first, last = (random.permutation(len(codes))[:PAIRS] for _ in range(2))
    way = paths(subject, codes[first], codes[last], STEPS)
    # A conditional model stays at the condition of the first: the code alone moves.
    told = None if subject.condition is None else subject.condition[first].repeat(STEPS, axis=0)
    data = subject.candidate.decode(way.reshape(-1, way.shape[-1]), told)
    decoded = subject.features(subject.question.units.centred(data))
    decoded = decoded.reshape(len(first), STEPS, -1)
    found = path_smoothness(decoded, way)
    return Answers(
        values={
            "stretch": found.stretch,
            "jump": found.jump,
            "lipschitz_spread": Estimate(found.spread, math.nan),
        }
    )


@measure(
    "prior-gap",
    Column(
        "prior_mmd",
        "MMD² of codes",
        "",
        -1,
        4,
        "Squared distance of posterior codes from codes of the prior; 0 is none.",
        ideal=0.0,
    ),
    Column(
        "prior_auc",
        "AUC of codes",
        "",
        -1,
        3,
        "How well a classifier tells posterior codes from codes of the prior; 0.5 is not at all.",
        ideal=0.5,
    ),
    table=LATENT,
    cost=SECONDS,
)
def prior_gap(subject: Subject) -> Answers:
    """Whether the codes of held-out data fill the prior that new codes are drawn from."""
    of_data = posterior_codes(subject, subject.question.test[:PRIOR_ROWS])
    drawn, seed = prior_codes(subject, len(of_data)), subject.question.seed
    if len(of_data) < FEWEST:
        raise UnsupportedError(f"{len(of_data)} held-out data are too few to tell from the prior")
    return Answers(
        values={
            "prior_mmd": mmd(of_data, drawn, "inverse-multiquadratic", seed),
            "prior_auc": two_sample_auc(of_data, drawn, seed),
        }
    )
