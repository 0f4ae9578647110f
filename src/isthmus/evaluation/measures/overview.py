"""The measures of the main table: what is kept, what is likely, what can be done with the codes."""

from __future__ import annotations

import math

import numpy as np

from isthmus.evaluation.columns import Column
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import OVERVIEW
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats
from isthmus.metrics import (
    active_units,
    auc,
    mean_and_error,
    probe_hits,
    r2,
    two_sample_auc,
)
from isthmus.metrics.estimates import Estimate
from isthmus.metrics.ranking import placements

LOG2 = math.log(2.0)


@measure(
    "reconstruction",
    Column(
        "r2",
        "R²",
        "",
        1,
        3,
        "Share of the held-out data's variance that the reconstruction keeps; 1 is all.",
    ),
    Column(
        "rmse",
        "error",
        "",
        -1,
        3,
        "Root mean squared error of the reconstruction, in the data's own units; of a table, whose "
        "columns have units of their own, in their standard deviations.",
    ),
    table=OVERVIEW,
)
def reconstruction(subject: Subject) -> Answers:
    """How much of a held-out datum its code keeps."""
    question, rebuilt = subject.question, subject.rebuilt
    clean, unit = question.clean, question.units.spec.unit
    kept = r2(clean, rebuilt, per_column=question.by_column)
    errors = np.square((clean - rebuilt) / question.spread).reshape(len(clean), -1).sum(1)
    error = mean_and_error(errors).error / max(float(errors.mean()), 1e-300)
    root = math.sqrt(errors.mean() / clean[0].size) * unit
    return Answers(
        values={
            "r2": Estimate(kept, (1.0 - kept) * error),
            "rmse": Estimate(root, 0.5 * root * error),
        },
        per_datum={"r2": errors},
        arrays={"reconstructions": rebuilt.astype(np.float32)},
    )


@measure(
    "likelihood",
    Column(
        "nll",
        "NLL",
        "nats",
        -1,
        1,
        "Negative log-likelihood of a held-out datum, by importance sampling.",
        of_data=True,
    ),
    Column(
        "elbo",
        "ELBO",
        "nats",
        1,
        1,
        "The evidence lower bound on log p(x) of a held-out datum.",
        of_data=True,
    ),
    Column("rate", "rate", "bits", 0, 1, "Bits that the code carries about a datum."),
    Column(
        "distortion",
        "distortion",
        "bits",
        0,
        1,
        "Bits left to say once the code is known.",
        of_data=True,
    ),
    table=OVERVIEW,
    cost=SECONDS,
)
def likelihood(subject: Subject) -> Answers:
    """How likely held-out data are, and how the bound on it splits into rate and distortion."""
    if subject.candidate.density is None:
        return _no_density(subject)
    density, question = subject.density, subject.question
    cells = question.units.log_cells
    nll = cells - subject.likely.log_likelihood
    rate, distortion = subject.bound[0], subject.bound[1] + cells
    answers = Answers(
        values={
            "nll": mean_and_error(nll),
            "elbo": mean_and_error(-(rate + distortion)),
            "rate": mean_and_error(rate / LOG2),
            "distortion": mean_and_error(distortion / LOG2),
        },
        per_datum={"nll": nll},
    )
    if density.rate_per_dimension is not None:
        rates = density.rate_per_dimension(question.test, subject.condition)
        answers.arrays["rates"] = np.sort(rates / LOG2)[::-1]
    return answers


def _no_density(subject: Subject) -> Answers:
    candidate = subject.candidate
    answers = Answers(
        why_missing=dict.fromkeys(("nll", "elbo", "rate", "distortion"), candidate.why_no_density)
    )
    if candidate.code_bits is not None:
        # A point among equally likely codes: KL to the uniform prior, exactly.
        del answers.why_missing["rate"]
        answers.values["rate"] = Estimate(candidate.code_bits, math.nan)
    return answers


@measure(
    "active",
    Column(
        "active",
        "active",
        "",
        0,
        0,
        "Latent dimensions whose mean, or integer, varies with the data.",
    ),
    table=OVERVIEW,
)
def active(subject: Subject) -> Answers:
    """How many dimensions of the code vary with the data."""
    candidate, codes = subject.candidate, subject.codes
    answers = Answers(arrays={"codes": principal_plane(codes).astype(np.float32)})
    if candidate.density is None and candidate.family != "learned":
        answers.why_missing["active"] = f"the codes of {candidate.name} have no scale to judge by"
    else:
        integers = subject.integers
        varies = active_units(codes) if integers is None else integers.min(0) < integers.max(0)
        answers.values["active"] = Estimate(float(varies.sum()), math.nan)
    return answers


@measure(
    "samples",
    Column(
        "sample_auc",
        "sample AUC",
        "",
        -1,
        3,
        "How well a classifier tells samples from held-out data; 0.5 is not at all.",
        ideal=0.5,
    ),
    table=OVERVIEW,
    cost=SECONDS,
)
def samples(subject: Subject) -> Answers:
    """Whether new data pass for real."""
    real, drawn = subject.real, subject.drawn
    found = two_sample_auc(
        real.reshape(len(real), -1), drawn.reshape(len(drawn), -1), subject.question.seed
    )
    return Answers(values={"sample_auc": found}, arrays={"samples": drawn.astype(np.float32)})


@measure(
    "probe",
    Column(
        "probe", "probe", "", 1, 3, "Accuracy of a linear classifier of the labels on the codes."
    ),
    table=OVERVIEW,
    cost=SECONDS,
)
def probe(subject: Subject) -> Answers:
    """How well a linear classifier reads the labels off the codes."""
    train_labels, test_labels = subject.labels
    met = probe_hits(
        subject.train_codes, train_labels, subject.codes, test_labels, subject.question.seed
    )
    accuracy = float(met.mean())
    error = math.sqrt(max(accuracy * (1.0 - accuracy), 1e-12) / len(subject.codes))
    return Answers(
        values={"probe": Estimate(accuracy, error)}, per_datum={"probe": 1.0 - met.astype(float)}
    )


@measure(
    "outliers",
    Column(
        "outlier_auc",
        "outlier AUC",
        "",
        1,
        3,
        "How well the score tells held-out data from the same data spoiled; 1 is always.",
    ),
    table=OVERVIEW,
    cost=SECONDS,
)
def outliers(subject: Subject) -> Answers:
    """How well spoiled data stand out: by the bound on log p(x), or by the reconstruction error."""
    spoiled_data = subject.question.spoiled
    count = len(spoiled_data)
    if subject.candidate.density is None:
        normal, spoiled = (subject.error(x) for x in (subject.question.test[:count], spoiled_data))
    else:
        density = subject.density
        normal = np.add(*subject.bound)[:count]
        told = subject.condition_of(count)
        spoiled = density.rate(spoiled_data, told) + density.distortion(spoiled_data, told)
    truth = np.repeat([False, True], [len(normal), len(spoiled)])
    scores = np.concatenate([normal, spoiled])
    found = auc(scores, truth)
    # Hanley & McNeil's error of an area under the curve.
    q1, q2, n = found / (2.0 - found), 2.0 * found**2 / (1.0 + found), len(normal)
    variance = (found * (1 - found) + (n - 1) * (q1 - found**2 + q2 - found**2)) / n**2
    # What a datum and its spoiled copy bring to the area, as DeLong et al. take it apart.
    missed = 1.0 + found - np.add(*placements(scores, truth))
    return Answers(
        values={"outlier_auc": Estimate(found, math.sqrt(max(variance, 0.0)))},
        per_datum={"outlier_auc": missed},
    )


@measure(
    "cost",
    Column("seconds", "seconds", "s", -1, 1, "Wall-clock time of the training."),
    Column("parameters", "parameters", "", -1, 0, "Learned numbers."),
    Column(
        "bytes", "code", "bytes", -1, 0, "Bytes of one code: float32 numbers, or integers as bits."
    ),
    table=OVERVIEW,
)
def cost(subject: Subject) -> Answers:
    """What training took, and what a model and a code weigh."""
    candidate = subject.candidate
    exact = {
        "seconds": candidate.seconds,
        "parameters": candidate.parameters,
        "bytes": candidate.code_bytes,
    }
    answers = Answers(
        values={key: Estimate(float(value), math.nan) for key, value in exact.items()}
    )
    if candidate.history is not None:
        answers.arrays["history"] = candidate.history
    return answers


def principal_plane(codes: Floats) -> Floats:
    """Codes (N, Z) on their two widest principal axes, (N, 2)."""
    centred = codes - codes.mean(0)
    if centred.shape[1] < 2:
        return np.hstack([centred, np.zeros((len(centred), 1))])
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane: Floats = centred @ axes[:2].T
    return plane
