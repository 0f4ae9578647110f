"""Samples and codes, judged: are samples copies, are pictures sharp, do codes meet the labels?"""

from __future__ import annotations

import math

import numpy as np

from isthmus.errors import UnsupportedError
from isthmus.evaluation.columns import Column
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import LATENT, SAMPLES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.metrics import (
    cluster_agreement,
    frechet_distance,
    knn_probe,
    memorising,
    relative_sharpness,
)
from isthmus.metrics.estimates import Estimate

# Directions that a Fréchet distance without features of one's own looks along, at most: of many
# more than there are data for, a covariance is mostly noise.
AXES = 32
PICTURE_AXES = 3
# Numbers in a code whose covariances the data can tell, at most.
WIDEST_MIXED = 256


@measure(
    "memorising",
    Column(
        "closeness",
        "closeness",
        "",
        0,
        2,
        "Distance of samples to the nearest training datum over that of held-out data; 0: copied.",
    ),
    Column("closer", "closer", "", 0, 3, "Chance of a sample to lie closer than a held-out datum."),
    Column(
        "copies",
        "copies",
        "",
        -1,
        3,
        "Share of samples closer to a training datum than 99% of held-out data are; 0.01 is none.",
        ideal=0.01,
    ),
    table=SAMPLES,
    cost=SECONDS,
)
def copying(subject: Subject) -> Answers:
    """Whether samples repeat training data."""
    question = subject.question
    found = memorising(
        subject.features(question.units.centred(question.train)),
        subject.features(subject.real),
        subject.features(subject.drawn),
        question.seed,
    )
    error = math.sqrt(found.copies * (1 - found.copies) / len(subject.drawn))
    return Answers(
        values={
            "closeness": Estimate(found.closeness, math.nan),
            "closer": found.closer,
            "copies": Estimate(found.copies, error),
        }
    )


@measure(
    "frechet",
    Column("frechet", "Fréchet distance", "", -1, 3, "Of Gaussians of samples and held-out data."),
    Column(
        "frechet_real",
        "Fréchet distance, real",
        "",
        0,
        3,
        "The same of as many training data: what the estimate's bias and chance make.",
    ),
    table=SAMPLES,
    cost=SECONDS,
)
def frechet(subject: Subject) -> Answers:
    """How far the Gaussian of samples is from that of held-out data, in a space of features."""
    question = subject.question
    train = question.units.centred(question.train)
    chosen = np.random.default_rng(question.seed).permutation(len(train))[: len(subject.real)]
    seen, real, drawn = map(subject.features, (train[chosen], subject.real, subject.drawn))
    if question.features is None:
        mean = seen.mean(0)
        _, _, axes = np.linalg.svd(seen - mean, full_matrices=False)
        seen, real, drawn = ((rows - mean) @ axes[:AXES].T for rows in (seen, real, drawn))
    return Answers(
        values={
            "frechet": Estimate(frechet_distance(real, drawn), math.nan),
            "frechet_real": Estimate(frechet_distance(real, seen), math.nan),
        }
    )


@measure(
    "sharpness",
    Column("sharp", "edges, rebuilt", "", 0, 2, "Energy of their edges over the data's."),
    Column("sharp_samples", "edges, samples", "", 0, 2, "Energy of their edges over the data's."),
    table=SAMPLES,
)
def sharp(subject: Subject) -> Answers:
    """How sharp pictures are beside the data: below 1 is blurred, above 1 noisy."""
    question = subject.question
    shape = question.clean.shape[1:]
    if len(shape) != PICTURE_AXES or min(shape[1:]) < PICTURE_AXES:
        raise UnsupportedError("the data are no pictures")
    rebuilt = relative_sharpness(subject.rebuilt, question.clean)
    drawn = relative_sharpness(subject.drawn, subject.real)
    return Answers(
        values={
            "sharp": Estimate(rebuilt.edges, math.nan),
            "sharp_samples": Estimate(drawn.edges, math.nan),
        }
    )


@measure(
    "knn-probe",
    Column("knn", "k-NN probe", "", 1, 3, "Accuracy of a vote of the 5 nearest training codes."),
    table=LATENT,
    cost=SECONDS,
)
def neighbour_vote(subject: Subject) -> Answers:
    """How well the nearest training codes tell the label."""
    train_labels, test_labels = subject.labels
    accuracy = knn_probe(subject.train_codes, train_labels, subject.codes, test_labels)
    error = math.sqrt(max(accuracy * (1.0 - accuracy), 1e-12) / len(subject.codes))
    return Answers(values={"knn": Estimate(accuracy, error)})


@measure(
    "clusters",
    Column("ari", "ARI, k-means", "", 1, 3, "Agreement of clusters with labels; 0 is by chance."),
    Column(
        "nmi", "NMI, k-means", "", 1, 3, "Information that clusters and labels share; 1 is all."
    ),
    Column("ari_mixture", "ARI, mixture", "", 1, 3, "The same of a mixture of Gaussians."),
    Column("nmi_mixture", "NMI, mixture", "", 1, 3, "The same of a mixture of Gaussians."),
    table=LATENT,
    cost=SECONDS,
)
def clusters(subject: Subject) -> Answers:
    """Whether clusters of codes, as many as there are labels, are the labels."""
    _, labels = subject.labels
    answers = Answers()
    for clustering, ending in (("k-means", ""), ("mixture", "_mixture")):
        if clustering == "mixture" and subject.codes.shape[1] > WIDEST_MIXED:
            why = (
                f"Gaussians of any covariance are not fitted to codes of more than {WIDEST_MIXED} "
                "numbers"
            )
            answers.why_missing |= {"ari_mixture": why, "nmi_mixture": why}
            continue
        found = cluster_agreement(subject.codes, labels, clustering, subject.question.seed)
        answers.values[f"ari{ending}"] = Estimate(found.ari, math.nan)
        answers.values[f"nmi{ending}"] = Estimate(found.nmi, math.nan)
    return answers
