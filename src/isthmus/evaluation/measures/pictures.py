"""What a report draws of a candidate: the map of its codes, and the data that stand out."""

from __future__ import annotations

import numpy as np
import torch

from isthmus.answering import answering
from isthmus.conditions import reads_condition
from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.measures.base import measure
from isthmus.evaluation.measures.tables import PICTURES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.latent import information, space_of
from isthmus.model import LatentModel
from isthmus.training.devices import own_random_state

# Held-out data that pictures are made from, at most.
ROWS = 1000
PRIOR_DRAWS = 4000
FEWEST_DRAWS = 500
EXTREMES = 6


@measure("aggregate-pictures", table=PICTURES)
def aggregate(subject: Subject) -> Answers:
    """Draws of q(z), and of the prior, on the two most telling dimensions of the code."""
    model = subject.candidate.model
    held, prior, axes = _linear_map(subject) if model is None else _map(subject, model)
    return Answers(
        arrays={
            "aggregate": held[:, axes].astype(np.float32),
            "prior": prior[:, axes].astype(np.float32),
            "axes": axes,
        }
    )


Map = tuple[Floats, Floats, np.ndarray]


def _map(subject: Subject, model: LatentModel) -> Map:
    """Codes (M, Z) drawn of held-out data, of the prior, and the dimensions (2,) to show."""
    if not model.posterior.has_density:
        raise UnsupportedError(subject.candidate.why_no_density)
    space = space_of(model.posterior, moving=True)
    _refuse_line(subject)
    x = tensor_for(model, subject.question.test[:ROWS])
    told = subject.given(len(x))
    with own_random_state(x.device, subject.question.seed):
        codes = [model.encode(x, "sample", condition=told) for _ in range(_repeats(len(x)))]
        axes = information(model, x, condition=told).order[:2]
        with answering(model):
            if told is not None and reads_condition(model.prior):
                # Of data with these conditions, each as often as the others.
                each = -(-PRIOR_DRAWS // len(told))
                drawn = model.code_prior(told.repeat(each, 1)).sample()[:PRIOR_DRAWS]
            else:
                drawn = model.code_prior().sample(torch.Size((PRIOR_DRAWS,)))
    held = space.chart(torch.cat(codes).flatten(1))
    prior = space.chart(drawn.reshape(PRIOR_DRAWS, -1))
    return as_floats(held), as_floats(prior), axes.cpu().numpy()


def _linear_map(subject: Subject) -> Map:
    """The same of a linear-Gaussian model, whose prior is N(0, I)."""
    posterior = subject.candidate.posterior
    if posterior is None:
        raise UnsupportedError(f"{subject.candidate.name} has codes but no prior of them")
    _refuse_line(subject)
    mean, covariance = posterior(subject.question.test[:ROWS])
    random, size = np.random.default_rng(subject.question.seed), mean.shape[1]
    variance = np.diag(covariance)
    told = np.square(mean).mean(0) + variance - 1.0 - np.log(variance)
    noise = random.multivariate_normal(
        np.zeros(size), covariance, (_repeats(len(mean)), len(mean)), method="eigh"
    )
    held = (mean + noise).reshape(-1, size)
    prior = random.standard_normal((PRIOR_DRAWS, size))
    return held, prior, np.argsort(-told, kind="stable")[:2]


def _repeats(n: int) -> int:
    """Draws of each datum: few data have many, for the cloud to be one."""
    return max(1, FEWEST_DRAWS // n)


def _refuse_line(subject: Subject) -> None:
    if subject.candidate.latent_dim < 2:
        raise UnsupportedError("a plane takes a code of at least two dimensions")


@measure("extreme-pictures", table=PICTURES)
def extremes(subject: Subject) -> Answers:
    """The held-out data with the lowest and the highest outlier scores."""
    question, candidate = subject.question, subject.candidate
    x = question.test[:ROWS]
    if candidate.density is not None:
        told = subject.condition_of(len(x))
        bound = candidate.density.rate(x, told) + candidate.density.distortion(x, told)
        scores, unit = bound + question.units.log_cells, "nats"
    else:
        scores, unit = subject.error(x), "squared error"
    order = np.argsort(scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    each = min(EXTREMES, len(order) // 2)
    if not each:
        raise UnsupportedError("fewer than two data have a score")
    rows = np.concatenate([order[:each], order[::-1][:each]])
    return Answers(
        arrays={
            "scores": scores,
            "score_unit": np.array([unit]),
            "extreme_places": rows,
            "extreme_numbers": rows if question.numbers is None else question.numbers[rows],
            "extreme_numbered": np.array([question.numbered]),
            "extremes": question.clean[rows].astype(np.float32),
            "extremes_rebuilt": subject.rebuilt[rows].astype(np.float32),
        }
    )
