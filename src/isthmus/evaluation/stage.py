"""What all candidates of a comparison share: the data in its units, split and scaled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.data import Batch, Cropped, Resident, Scaling, Source
from isthmus.data.splits import split_indices
from isthmus.errors import DataError
from isthmus.evaluation.subject import DENSITY_ROWS, OF_THE_DATA, OF_THE_PART, Question
from isthmus.evaluation.units import Floats, Units, as_floats
from isthmus.fitting import Split

# A comparison is of data in memory; of more than this many, a seeded part stands for all.
MOST_ROWS = 60_000
# A table's columns have scales of their own, and no classical method should care for the units of
# a column.
SCALING_OF_KIND = {"table": "column"}


@final
@dataclass(frozen=True)
class Stage:
    """What all candidates share: the data in the units of the comparison, split once."""

    source: Resident
    split: Split
    training: Resident
    scaling: Scaling
    question: Question
    notes: tuple[str, ...]


def in_memory(source: Source) -> Resident:
    """The source in the host's memory, or a seeded part of a larger one."""
    if isinstance(source, Resident) and len(source) <= MOST_ROWS:
        return source.to("cpu")
    size = min(len(source), MOST_ROWS)
    whole = size == len(source)
    # In their order, where all are taken: a split goes by it.
    batch = _all(source) if whole else next(source.epoch(size, seed=0, epoch=0))
    note = () if whole else (f"{size:,} of the {len(source):,} data stand for all of them.",)
    return Resident(
        batch.x,
        source.spec.with_length(size),
        labels=batch.labels,
        factors=batch.factors,
        condition=batch.condition,
        notes=(*source.notes, *note),
        test_from=_own_test(source) if whole else None,
    ).to("cpu")


def _own_test(source: Source) -> int | None:
    """The row where the data set's own test part begins, under crops too."""
    while isinstance(source, Cropped):
        source = source.source
    return source.test_from if isinstance(source, Resident) else None


def prepare(source: Resident, split: Split, seed: int, *, whole: bool = True) -> Stage:
    """The stage for a comparison on this source.

    Args:
        source: In memory.
        split: Which data train, choose the weights and judge.
        seed: Of what is random in the comparison, such as the spread of whole levels.
        whole: Whether the source is all there is, so that its rows are those that were read.

    Raises:
        DataError: A part of the split is not in memory.
    """
    units = Units.of(source.spec)
    spread = units.spread(source, seed)
    training, _, test = split.of(spread)
    _, _, clean = split.of(source)
    if not isinstance(training, Resident):
        raise DataError("A comparison needs data in memory.")
    scaling = Scaling(source.spec.shape, SCALING_OF_KIND.get(source.spec.kind, "none"))
    notes = tuple(scaling.fit(training))
    rows = held_out_rows(source, split) if whole else None
    question = question_on(units, training, test, clean, seed, rows)
    if units.levels:
        notes += (
            f"Values are whole levels of {units.levels}: models see them spread evenly over "
            "their cells, and NLL, "
            "ELBO and distortion are of the levels themselves.",
        )
    return Stage(spread, split, training, scaling, question, notes)


def held_out_rows(source: Source, split: Split) -> NDArray[np.int64] | None:
    """(n,) which rows of the source its held-out part is; None where they cannot be told."""
    if not isinstance(source, Resident):
        return None
    found = split_indices(len(source), split.seed, split.fractions, source.test_from)
    return found["test"].numpy()


def question_on(
    units: Units,
    training: Source,
    test: Source,
    clean: Source,
    seed: int,
    rows: NDArray[np.int64] | None = None,
) -> Question:
    """What is asked of every candidate on these parts.

    Args:
        units: Between the data and what models see.
        training: What classifiers learn from.
        test: What is measured.
        clean: The same data as they are.
        seed: Of what is random in the measuring.
        rows: (n,) which rows of the whole data `test` is, where that is known.
    """
    learnt, judged = _all(training), _all(test)
    order = mixed(len(judged), _whole(judged.labels), seed)
    return Question(
        units=units,
        train=as_floats(learnt.x),
        test=as_floats(judged.x)[order],
        clean=as_floats(_all(clean).x)[order],
        train_labels=_whole(learnt.labels),
        test_labels=_whole(judged.labels, order),
        seed=seed,
        train_factors=_whole(learnt.factors),
        test_factors=_whole(judged.factors, order),
        train_condition=None if learnt.condition is None else as_floats(learnt.condition),
        test_condition=None if judged.condition is None else as_floats(judged.condition)[order],
        numbers=order if rows is None else rows[order],
        numbered=OF_THE_PART if rows is None else OF_THE_DATA,
    )


def mixed(n: int, labels: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """(n,) an order of held-out data whose first rows stand for all.

    What is dear is measured on the first rows, and what is drawn shows them; but data often lie in
    the order of their labels, as folders of images do, or of a time. They are shuffled where they
    are more than the least that a measure takes, or lie by label, and else stay as they are.
    """
    by_label = labels is not None and labels.ndim == 1 and bool((np.diff(labels) >= 0).all())
    if n <= DENSITY_ROWS and not by_label:
        return np.arange(n)
    return np.random.default_rng(seed).permutation(n)


def _all(source: Source) -> Batch:
    """All data of a source in one batch, in their order."""
    batches = list(source.chunks(4096))

    def joined(parts: list[torch.Tensor | None]) -> torch.Tensor | None:
        known = [part for part in parts if part is not None]
        return torch.cat(known) if len(known) == len(parts) else None

    return Batch(
        torch.cat([batch.x for batch in batches]),
        joined([batch.labels for batch in batches]),
        factors=joined([batch.factors for batch in batches]),
        condition=joined([batch.condition for batch in batches]),
    )


def _whole(
    values: torch.Tensor | None, order: NDArray[np.int64] | None = None
) -> NDArray[np.int64] | None:
    if values is None:
        return None
    whole: NDArray[np.int64] = values.numpy()
    return whole if order is None else whole[order]


def pca_curve(stage: Stage) -> np.ndarray:
    """Held-out R² of PCA with 0, 1, 2, ... components, of a table the mean over its columns."""
    train, test = stage.question.train, stage.question.test
    flat = [as_floats(stage.scaling(torch.as_tensor(x))).reshape(len(x), -1) for x in (train, test)]
    mean = flat[0].mean(0)
    _, _, axes = np.linalg.svd(flat[0] - mean, full_matrices=False)
    centred = flat[1] - mean
    spread = np.square(flat[1] - flat[1].mean(0)).sum(0)
    if stage.question.by_column:
        return _curve_by_column(centred, axes, spread, flat[1].min(0) < flat[1].max(0))
    found = np.concatenate([[0.0], np.cumsum(np.square(centred @ axes.T).sum(0))])
    curve: np.ndarray = 1.0 - (np.square(centred).sum() - found) / max(spread.sum(), 1e-300)
    return curve


def _curve_by_column(
    centred: Floats, axes: Floats, spread: Floats, varies: NDArray[np.bool_]
) -> Floats:
    """The mean over columns of each one's own R², as the main table takes it."""
    if not varies.any():
        return np.zeros(len(axes) + 1)
    left, curve = centred.copy(), []
    for axis in [np.zeros(centred.shape[1]), *axes]:
        left -= np.outer(centred @ axis, axis)
        curve.append(1.0 - (np.square(left).sum(0)[varies] / spread[varies]).mean())
    return np.array(curve)
