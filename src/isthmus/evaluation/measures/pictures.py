"""What a report draws of a candidate: arrays without figures, from a few dozen decoded codes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.answering import answering
from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import PICTURES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.latent import attribute, information, interpolate, move, space_of, traverse
from isthmus.metrics import bits
from isthmus.model import LatentModel
from isthmus.training.devices import own_random_state

# Held-out data that pictures are made from, at most.
ROWS = 1000
PRIOR_DRAWS = 4000
FEWEST_DRAWS = 500
# Strips of a model, and pictures in a strip.
STRIPS = 6
STEPS = 7
PAIRS = 4
# Data that the probe beside a slider learns from, at most.
PROBED = 400
SLIDERS = 4
# How many times the way from the others to a class, and standard deviations of a column, one goes.
FURTHEST = 1.5
COLUMN_SPREAD = 2.0
# A direction of fewer members than this would follow single data.
MEMBERS = 10
EXTREMES = 6
QUANTILES = (0.01, 0.99)


@measure("aggregate-pictures", table=PICTURES)
def aggregate(subject: Subject) -> Answers:
    """Draws of q(z), and of the prior, on the two most telling dimensions of the code."""
    model = subject.model
    if not model.posterior.has_density:
        raise UnsupportedError(subject.candidate.why_no_density)
    space = space_of(model.posterior, moving=True)
    x = _first_data(subject, model)
    # A few data have many draws, for the cloud to be one.
    repeats = max(1, FEWEST_DRAWS // len(x))
    with own_random_state(x.device, subject.question.seed):
        draws = [model.encode(x, "sample").flatten(1) for _ in range(repeats)]
        held = space.chart(torch.cat(draws))
        if held.shape[1] < 2:
            raise UnsupportedError("a plane takes a code of at least two dimensions")
        axes = information(model, x).order[:2]
        with answering(model):
            drawn = model.code_prior().sample(torch.Size((PRIOR_DRAWS,)))
    prior = space.chart(drawn.reshape(PRIOR_DRAWS, -1))
    return Answers(
        arrays={
            "aggregate": as_floats(held[:, axes]).astype(np.float32),
            "prior": as_floats(prior[:, axes]).astype(np.float32),
            "axes": axes.cpu().numpy(),
        }
    )


@measure("traversal-pictures", table=PICTURES)
def traversals(subject: Subject) -> Answers:
    """Data decoded along single dimensions of the code, the most telling first."""
    model = subject.candidate.model
    codes, rows = _moved(subject, model) if model is not None else _moved_linear(subject)
    return Answers(arrays={"traversals": _strips(subject, codes), "traversal_rows": rows})


def _moved(subject: Subject, model: LatentModel) -> tuple[Floats, NDArray[np.str_]]:
    """Codes (K, T, Z) along K dimensions, with the dimensions' names and information."""
    x = _first_data(subject, model)
    with own_random_state(x.device, subject.question.seed):
        found = traverse(model, x, dimensions=STRIPS, steps=STEPS, quantiles=QUANTILES)
    told = found.information
    notes = []
    for j in found.dimensions.tolist():
        amount = float(told.amount[j])
        notes.append(f"{bits(amount):.1f} bits" if told.unit == "nats" else f"var {amount:.2g}")
    names = [f"z{j}" for j in found.dimensions.tolist()]
    return as_floats(found.codes[0].flatten(2)), np.array([names, notes]).T


def _moved_linear(subject: Subject) -> tuple[Floats, NDArray[np.str_]]:
    """The same of a baseline, by how far the decoded datum moves."""
    codes = subject.codes[:ROWS]
    low, high = np.quantile(codes, QUANTILES, axis=0)
    middle = np.tile(codes.mean(0), (codes.shape[1], 1))
    ends = []
    for values in (low, high):
        moved = middle.copy()
        np.fill_diagonal(moved, values)
        ends.append(subject.candidate.decode(moved) / subject.question.spread)
    reach = np.square(ends[1] - ends[0]).reshape(len(middle), -1).sum(1)
    chosen = np.argsort(-reach, kind="stable")[:STRIPS]
    strips = np.repeat(middle[chosen][:, None], STEPS, axis=1)
    steps = np.linspace(0.0, 1.0, STEPS)
    for row, j in enumerate(chosen):
        strips[row, :, j] = low[j] + steps * (high[j] - low[j])
    return strips, np.array([[f"z{j}", ""] for j in chosen])


@measure("interpolation-pictures", table=PICTURES)
def interpolations(subject: Subject) -> Answers:
    """What lies between pairs of held-out data, with the data themselves at either end."""
    question, model = subject.question, subject.candidate.model
    labels = question.test_labels
    first, last = pairs(len(question.test), None if labels is None else labels[:ROWS])
    a, b = subject.codes[first], subject.codes[last]
    if model is None:
        share = np.linspace(0.0, 1.0, STEPS)[:, None]
        codes = a[:, None] * (1.0 - share) + b[:, None] * share
    else:
        start, end = (tensor_for(model, z).unflatten(1, model.latent_shape) for z in (a, b))
        codes = as_floats(interpolate(model, start, end, STEPS).flatten(2))
    between = _strips(subject, codes)
    clean = question.clean.astype(np.float32)
    strips = np.concatenate([clean[first][:, None], between, clean[last][:, None]], axis=1)
    return Answers(arrays={"interpolations": strips})


def pairs(total: int, labels: NDArray[np.int64] | None) -> tuple[NDArray[np.intp], ...]:
    """First and last rows of at most `PAIRS` pairs, of different labels where there are labels.

    Raises:
        UnsupportedError: There are fewer than two data.
    """
    if total < 2:
        raise UnsupportedError("between fewer than two data there is no way")
    free = list(range(min(total, ROWS)))
    found: list[tuple[int, int]] = []
    while len(free) > 1 and len(found) < PAIRS:
        i = free.pop(0)
        other = (j for j in free if labels is None or labels[j] != labels[i])
        j = next(other, free[0])
        free.remove(j)
        found.append((i, j))
    first, last = np.array(found).T
    return first, last


@measure("attribute-pictures", table=PICTURES, cost=SECONDS)
def attributes(subject: Subject) -> Answers:
    """Held-out data moved towards a label, or the mean code along a column of a table."""
    model, question = subject.model, subject.question
    space_of(model.posterior, moving=True)
    codes = tensor_for(model, subject.codes[:PROBED]).unflatten(1, model.latent_shape)
    sliders = (
        _towards_labels(subject, model, codes, question.test_labels[:PROBED])
        if question.test_labels is not None
        else _along_columns(subject, model, codes)
    )
    if not sliders:
        raise UnsupportedError("there is no label or column with enough data on both sides")
    strips = np.stack([as_floats(moved.flatten(1)) for moved, _ in sliders])
    return Answers(
        arrays={
            "attributes": _strips(subject, strips),
            "attribute_rows": np.array([row for _, row in sliders]),
        }
    )


Slider = tuple[Tensor, tuple[str, str]]


def _towards_labels(
    subject: Subject, model: LatentModel, codes: Tensor, labels: NDArray[np.int64]
) -> list[Slider]:
    """For each of the most frequent labels, the code of a datum without it on the way to it."""
    classes, sizes = np.unique(labels, return_counts=True)
    by = torch.linspace(0.0, FURTHEST, STEPS)
    names = subject.question.units.spec.classes
    found: list[Slider] = []
    for k in classes[np.argsort(-sizes, kind="stable")][:SLIDERS]:
        others = np.flatnonzero(labels != k)
        if min(len(others), len(labels) - len(others)) < MEMBERS:
            continue
        way = attribute(model, codes, labels, int(k), seed=subject.question.seed)
        start = codes[others[len(found) % len(others)]]
        moved = move(model, start.repeat(STEPS, *[1] * (codes.dim() - 1)), way.vector, by)
        name = names[k] if 0 <= k < len(names) else str(k)
        found.append((moved, (name, f"{way.measure} {way.score.value:.2f}")))
    return found


def _along_columns(subject: Subject, model: LatentModel, codes: Tensor) -> list[Slider]:
    """For each of the columns that the model keeps best, the mean code moved along it."""
    question = subject.question
    spec = question.units.spec
    if not question.by_column or len(spec.columns) != spec.size or len(codes) < 2 * MEMBERS:
        return []
    clean, rebuilt = (v[:PROBED].reshape(len(codes), -1) for v in (question.clean, subject.rebuilt))
    clean = np.where(np.isfinite(clean), clean, rebuilt)
    variance = clean.var(0)
    share = np.divide(
        np.square(clean - rebuilt).mean(0),
        variance,
        out=np.full_like(variance, np.inf),
        where=variance > 0,
    )
    space = space_of(model.posterior, moving=True)
    middle = space.code(space.chart(codes.flatten(1)).mean(0, keepdim=True))
    start = middle.unflatten(1, model.latent_shape).repeat(STEPS, *[1] * (codes.dim() - 1))
    by = torch.linspace(-COLUMN_SPREAD, COLUMN_SPREAD, STEPS)
    found: list[Slider] = []
    for j in np.argsort(share, kind="stable")[:SLIDERS]:
        if not np.isfinite(share[j]):
            continue
        way = attribute(model, codes, clean[:, j], seed=question.seed)
        note = f"{way.measure} {way.score.value:.2f}"
        found.append((move(model, start, way.vector, by), (spec.columns[j].name, note)))
    return found


@measure("extreme-pictures", table=PICTURES)
def extremes(subject: Subject) -> Answers:
    """The held-out data with the lowest and the highest outlier scores."""
    question, candidate = subject.question, subject.candidate
    x = question.test[:ROWS]
    if candidate.density is not None:
        bound = candidate.density.rate(x) + candidate.density.distortion(x)
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
            "extremes": question.clean[rows].astype(np.float32),
            "extremes_rebuilt": subject.rebuilt[rows].astype(np.float32),
        }
    )


def _first_data(subject: Subject, model: LatentModel) -> Tensor:
    return tensor_for(model, subject.question.test[:ROWS])


def _strips(subject: Subject, codes: Floats) -> NDArray[np.float32]:
    """Codes (K, T, Z) as data (K, T, *D) in the data's own values."""
    decoded = subject.candidate.decode(codes.reshape(-1, codes.shape[-1]))
    shown = subject.question.units.centred(decoded)
    return shown.reshape(*codes.shape[:2], *decoded.shape[1:]).astype(np.float32)
