"""Do single latents stand for single factors? The field's measures, on codes of known factors."""

from __future__ import annotations

import math

import numpy as np

from isthmus.errors import UnsupportedError
from isthmus.evaluation.columns import Column
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import DISENTANGLEMENT, LATENT
from isthmus.evaluation.subject import Answers, Subject
from isthmus.metrics.disentanglement import (
    Halves,
    Rows,
    beta_vae_score,
    dci,
    dependence,
    explicitness,
    factor_vae_score,
    irs,
    mig,
    modularity,
    sap,
)
from isthmus.metrics.disentanglement.inputs import TEST, TRAIN
from isthmus.metrics.estimates import Estimate

# Latents of which all pairs are held against each other, at most: time grows with their square.
WIDEST_PAIRED = 256


def _scores(**values: float) -> Answers:
    return Answers(values={key: Estimate(float(v), math.nan) for key, v in values.items()})


def _halves(subject: Subject) -> Halves:
    """Codes and factors, training and held-out data, without factors that never change.

    Raises:
        UnsupportedError: The data have no factors, or fewer than two of them vary.
    """
    train, test = subject.factors
    vary = ((train != train[:1]).any(0) & (test != test[:1]).any(0)).nonzero()[0]
    if len(vary) < 2:
        raise UnsupportedError("fewer than two known factors of these data vary")
    # Data may lie in the order of their factors.
    learnt = np.random.default_rng(subject.question.seed).permutation(len(train))[:TRAIN]
    learnt.sort()
    return Halves(
        subject.train_codes[learnt],
        train[np.ix_(learnt, vary)],
        subject.codes[:TEST],
        test[:TEST, vary],
    )


@measure(
    "disentanglement",
    Column("mig", "MIG", "", 1, 3, "Gap between the two latents that tell most of a factor."),
    Column("sap", "SAP", "", 1, 3, "The same gap in the accuracy of a linear classifier."),
    Column("modularity", "modularity", "", 1, 3, "Whether a latent depends on one factor only."),
    Column("explicitness", "explicitness", "", 1, 3, "Whether factors can be read off linearly."),
    Column("irs", "IRS", "", 1, 3, "Whether a latent stays put when other factors change."),
    table=DISENTANGLEMENT,
    cost=SECONDS,
)
def disentanglement(subject: Subject) -> Answers:
    """Whether each known factor has a latent of its own: by information and linear classifiers."""
    data, seed = _halves(subject), subject.question.seed
    z, f = data.train_codes, data.train_factors
    return _scores(
        mig=mig(z, f, seed=seed).score,
        sap=sap(*data).score,
        modularity=modularity(z, f, seed=seed),
        explicitness=explicitness(*data),
        irs=irs(z, f, seed=seed).score,
    )


@measure(
    "dci",
    Column("dci_d", "DCI: D", "", 1, 3, "Whether a latent is important for one factor only."),
    Column("dci_c", "DCI: C", "", 1, 3, "Whether one latent is important for a factor."),
    Column("dci_i", "DCI: I", "", 1, 3, "Accuracy of boosted trees that read factors off codes."),
    table=DISENTANGLEMENT,
    cost=SECONDS,
)
def importance(subject: Subject) -> Answers:
    """Which latents boosted trees need for which factor."""
    found = dci(*_halves(subject), seed=subject.question.seed)
    return _scores(
        dci_d=found.disentanglement, dci_c=found.completeness, dci_i=found.informativeness
    )


@measure(
    "fixed-factors",
    Column("beta_vae", "BetaVAE score", "", 1, 3, "Accuracy of naming the factor held fixed."),
    Column("factor_vae", "FactorVAE score", "", 1, 3, "The same by the one steadiest latent."),
    table=DISENTANGLEMENT,
    cost=SECONDS,
)
def fixed_factors(subject: Subject) -> Answers:
    """Whether codes show which factor a batch of data shares."""
    data, seed = _halves(subject), subject.question.seed
    sampler = Rows(data.train_codes, data.train_factors)
    return _scores(
        beta_vae=beta_vae_score(sampler, seed=seed),
        factor_vae=factor_vae_score(sampler, seed=seed),
    )


@measure(
    "dependence",
    Column("tc", "Gaussian TC", "nats", -1, 3, "Total correlation of a Gaussian like the codes."),
    Column("latent_mi", "latent MI", "nats", -1, 3, "Mean mutual information of two latents."),
    table=LATENT,
)
def dependent_latents(subject: Subject) -> Answers:
    """How much the latents tell of each other."""
    width = subject.codes.shape[1]
    if width < 2:
        raise UnsupportedError("a code of one number has no pair of latents")
    if width > WIDEST_PAIRED:
        raise UnsupportedError(
            f"a code of {width:,} numbers has too many pairs of latents; at most {WIDEST_PAIRED} "
            "are held against each other"
        )
    found = dependence(subject.codes, seed=subject.question.seed)
    answers = _scores(latent_mi=found.mutual_information)
    if math.isfinite(found.total_correlation):
        answers.values["tc"] = Estimate(found.total_correlation, math.nan)
    elif len(subject.codes) <= width:
        answers.why_missing["tc"] = (
            f"{len(subject.codes):,} held-out data do not tell how {width:,} numbers vary together"
        )
    else:
        answers.why_missing["tc"] = "some latents are fixed by the others: it is infinite"
    return answers
