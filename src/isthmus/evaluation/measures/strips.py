"""Film strips that a report draws: what moves in the data as one moves about in the code."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import PICTURES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.latent import attribute, direction, interpolate, move, space_of, traverse
from isthmus.metrics import bits
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.training.devices import own_random_state

# Held-out data that strips are made from, at most.
ROWS = 1000
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
QUANTILES = (0.01, 0.99)


class Moved(NamedTuple):
    """Codes on their ways, and what stands beside each.

    Args:
        codes: (K, T, Z).
        rows: (K,) held-out data; a conditional model stays at their condition.
        words: (K, 2) name and note.
    """

    codes: Floats
    rows: NDArray[np.intp]
    words: NDArray[np.str_]


@measure("traversal-pictures", table=PICTURES)
def traversals(subject: Subject) -> Answers:
    """Data decoded along single dimensions of the code, the most telling first."""
    model = subject.candidate.model
    if model is None:
        moved = _moved_linear(subject)
    elif _of_integers(model):
        moved = _swapped(subject, model)
    else:
        moved = _moved(subject, model)
    return Answers(
        arrays={
            "traversals": _decoded(subject, moved.codes, moved.rows),
            "traversal_rows": moved.words,
        }
    )


def _of_integers(model: LatentModel) -> bool:
    """Whether codes are integers, between which nothing lies."""
    posterior = model.posterior
    if not (isinstance(posterior, DiscretePosterior) and posterior.has_mode):
        return False
    try:
        space_of(posterior)
    except UnsupportedError:
        return True
    return False


def _moved(subject: Subject, model: LatentModel) -> Moved:
    """Along the dimensions that tell most, with their information, from the middle of the prior."""
    x = tensor_for(model, subject.question.test[:ROWS])
    with own_random_state(x.device, subject.question.seed):
        found = traverse(
            model,
            x,
            dimensions=STRIPS,
            steps=STEPS,
            quantiles=QUANTILES,
            condition=subject.given(len(x)),
        )
    told = found.information
    notes = []
    for j in found.dimensions.tolist():
        amount = float(told.amount[j])
        notes.append(f"{bits(amount):.1f} bits" if told.unit == "nats" else f"var {amount:.2g}")
    names = [f"z{j}" for j in found.dimensions.tolist()]
    codes = as_floats(found.codes[0].flatten(2))
    return Moved(codes, np.zeros(len(codes), np.intp), np.array([names, notes]).T)


def _moved_linear(subject: Subject) -> Moved:
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
    words = np.array([[f"z{j}", ""] for j in chosen])
    return Moved(strips, np.zeros(len(strips), np.intp), words)


def _swapped(subject: Subject, model: LatentModel) -> Moved:
    """The code of a usual datum, one integer set to the values that data take most often in turn.

    The integers come by their entropy over held-out data.
    """
    integers = _integers(subject, model)[:ROWS]
    n_codes = cast(DiscretePosterior, model.posterior).n_codes
    counts = np.stack([np.bincount(place, minlength=n_codes) for place in integers.T])
    share = counts / counts.sum(1, keepdims=True)
    entropy = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(1)
    used = (counts > 0).sum(1)
    chosen = [int(p) for p in np.argsort(-entropy, kind="stable")[:STRIPS] if used[p] > 1]
    if not chosen:
        raise UnsupportedError("all held-out data have the same code")
    steps = int(min(STEPS, used[chosen].min()))
    flat = subject.question.test[: len(integers)].reshape(len(integers), -1)
    usual = int(np.square(flat - flat.mean(0)).sum(1).argmin())
    swapped = np.tile(integers[usual], (len(chosen), steps, 1))
    for row, place in enumerate(chosen):
        swapped[row, :, place] = np.argsort(-counts[place], kind="stable")[:steps]
    words = np.array([[f"code {p}", f"{entropy[p]:.1f} bits"] for p in chosen])
    rows = np.full(len(chosen), usual, np.intp)
    return Moved(_embedded(model, swapped), rows, words)


def _integers(subject: Subject, model: LatentModel) -> NDArray[np.int64]:
    """(N, P) the integers of the held-out data's codes."""
    x = tensor_for(model, subject.question.test[:ROWS])
    found = model.encode(x, "argmax", condition=subject.given(len(x)))
    integers: NDArray[np.int64] = found.flatten(1).cpu().numpy()
    return integers


def _embedded(model: LatentModel, integers: NDArray[np.int64]) -> Floats:
    """Integers (K, T, P) as the codes (K, T, Z) that they stand for."""
    posterior = cast(DiscretePosterior, model.posterior)
    device = next(model.parameters()).device
    given = torch.as_tensor(integers, device=device).reshape(-1, *posterior.code_shape)
    with torch.no_grad():
        return as_floats(posterior.embed(given)).reshape(*integers.shape[:2], -1)


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
    elif _of_integers(model):
        integers = _integers(subject, model)
        codes = _embedded(model, crossed(integers[first], integers[last], question.seed))
    else:
        start, end = (tensor_for(model, z).unflatten(1, model.latent_shape) for z in (a, b))
        codes = as_floats(interpolate(model, start, end, STEPS).flatten(2))
    between = _decoded(subject, codes, first)
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


def crossed(first: NDArray[np.int64], last: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(K, T, P) from codes `first` (K, P) to `last`, the integers taken over one after another.

    Raises:
        UnsupportedError: A code is a single integer.
    """
    places = first.shape[1]
    if places < 2:
        raise UnsupportedError("between two codes of one integer each there is nothing")
    turn = np.random.default_rng(seed).permutation(places)
    taken = np.round(np.linspace(0, places, STEPS))[:, None] > turn
    found: NDArray[np.int64] = np.where(taken, last[:, None], first[:, None])
    return found


@measure("attribute-pictures", table=PICTURES, cost=SECONDS)
def attributes(subject: Subject) -> Answers:
    """Held-out data moved towards a label, or the mean code along a column of a table."""
    question, model = subject.question, subject.candidate.model
    if model is not None:
        space_of(model.posterior, moving=True)
    sliders = (
        _towards_labels(subject, question.test_labels[:PROBED])
        if question.test_labels is not None
        else _along_columns(subject)
    )
    if not sliders:
        raise UnsupportedError("there is no label or column with enough data on both sides")
    codes = np.stack([moved for moved, _, _ in sliders])
    rows = np.array([row for _, row, _ in sliders], np.intp)
    return Answers(
        arrays={
            "attributes": _decoded(subject, codes, rows),
            "attribute_rows": np.array([words for _, _, words in sliders]),
        }
    )


# Codes (T, Z), whose condition they keep, and the words beside them.
Slider = tuple[Floats, int, tuple[str, str]]


def _towards_labels(subject: Subject, labels: NDArray[np.int64]) -> list[Slider]:
    """For each of the most frequent labels, the code of a datum without it on the way to it."""
    classes, sizes = np.unique(labels, return_counts=True)
    by = np.linspace(0.0, FURTHEST, STEPS)
    names = subject.question.units.spec.classes
    found: list[Slider] = []
    for k in classes[np.argsort(-sizes, kind="stable")][:SLIDERS]:
        others = np.flatnonzero(labels != k)
        if min(len(others), len(labels) - len(others)) < MEMBERS:
            continue
        row = int(others[len(found) % len(others)])
        codes, note = _slid(subject, subject.codes[row], labels == k, by)
        name = names[k] if 0 <= k < len(names) else str(k)
        found.append((codes, row, (name, note)))
    return found


def _along_columns(subject: Subject) -> list[Slider]:
    """For each of the columns that the model keeps best, the mean code moved along it."""
    question, model = subject.question, subject.candidate.model
    spec, codes = question.units.spec, subject.codes[:PROBED]
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
    middle = codes.mean(0)
    if model is not None:
        space = space_of(model.posterior, moving=True)
        middle = as_floats(space.code(space.chart(tensor_for(model, codes)).mean(0)))
    by = np.linspace(-COLUMN_SPREAD, COLUMN_SPREAD, STEPS)
    found: list[Slider] = []
    for j in np.argsort(share, kind="stable")[:SLIDERS]:
        if np.isfinite(share[j]):
            moved, note = _slid(subject, middle, clean[:, j], by)
            found.append((moved, 0, (spec.columns[j].name, note)))
    return found


def _slid(
    subject: Subject, start: Floats, values: NDArray[np.generic], by: Floats
) -> tuple[Floats, str]:
    """A code (Z,) moved (T, Z) along the direction of a property, and how linear that is."""
    model, seed = subject.candidate.model, subject.question.seed
    codes = subject.codes[: len(values)]
    if model is None:
        vector, read = direction(codes, values, seed=seed)
        return start + by[:, None] * vector, f"{read.measure} {read.score.value:.2f}"
    shaped = [tensor_for(model, z).unflatten(-1, model.latent_shape) for z in (codes, start)]
    way = attribute(model, shaped[0], values, seed=seed)
    repeated = shaped[1].expand(len(by), *model.latent_shape)
    moved: Tensor = move(model, repeated, way.vector, torch.as_tensor(by))
    return as_floats(moved.flatten(1)), f"{way.measure} {way.score.value:.2f}"


def _decoded(subject: Subject, codes: Floats, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Codes (K, T, Z) as data (K, T, *D) in the data's own values.

    Args:
        subject: Who decodes.
        codes: As they are.
        rows: (K,) held-out data, at whose condition a conditional model stays.
    """
    told = subject.condition
    given = None if told is None else np.repeat(told[rows], codes.shape[1], axis=0)
    decoded = subject.candidate.decode(codes.reshape(-1, codes.shape[-1]), given)
    shown = subject.question.units.centred(decoded)
    return shown.reshape(*codes.shape[:2], *decoded.shape[1:]).astype(np.float32)
