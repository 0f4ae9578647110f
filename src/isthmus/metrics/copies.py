"""Are generated data copies of the training data?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.estimates import Estimate, mean_and_error


class Memorising(NamedTuple):
    """What `memorising` says.

    Args:
        closeness: The median distance of generated data to the training data, over that of held-out
            data.
        closer: The chance that a generated datum is closer to the training data than a held-out
            one, with its standard error.
        copies: Share of the generated data that are closer to a training datum than 99% of the
            held-out ones are.
        authentic: Share of the generated data whose nearest training datum has another training
            datum nearer than them.
    """

    closeness: float
    closer: Estimate
    copies: float
    authentic: float


def memorising(
    train: ArrayLike,
    held_out: ArrayLike,
    generated: ArrayLike,
    seed: int = 0,
    max_rows: int = 10_000,
) -> Memorising:
    """Distances of generated data to their nearest training datum, beside those of held-out data.

    Data from a model that has learned the distribution lie no closer to the training data than
    held-out data do; those of one that repeats what it saw do. Standardise columns of different
    units before. Time is O(training rows × others).

    Args:
        train: (N, *D) what the model was trained on.
        held_out: (M, *D) of the same distribution, never seen.
        generated: (L, *D) by the model.
        seed: Draws the `max_rows` of each set that are used where there are more; then distances
            to the training data are too long for all, alike.
        max_rows: The most rows of each set that are used.

    Returns:
        Without memorising closeness is near 1, closer near 0.5, copies near 0.01, and authentic as
        it is for held-out data, about 0.5; a model that repeats training data has closeness 0,
        closer 1, copies 1 and authentic 0.

    Raises:
        DataError: Different columns, fewer than two training rows, or a value that is not finite.

    Reference:
        Alaa et al., How Faithful is your Synthetic Data?, 2102.08921 (authenticity).
    """
    sets = {"training": train, "held-out": held_out, "generated": generated}
    rows = [as_rows(values, f"{what} data") for what, values in sets.items()]
    if len({part.shape[1] for part in rows}) > 1 or len(rows[0]) < 2:
        shapes = ", ".join(str(part.shape) for part in rows)
        raise DataError(
            f"Training, held-out and generated data are {shapes}; expected equally many columns, "
            "and at least two training rows."
        )
    chance = np.random.RandomState(seed)
    seen, other, new = (part[chance.permutation(len(part))[:max_rows]] for part in rows)
    of_held_out, _ = _nearest(seen, other)
    of_new, which = _nearest(seen, new)
    return Memorising(
        closeness=_ratio(float(np.median(of_new)), float(np.median(of_held_out))),
        closer=_chance_of_less(of_new, of_held_out),
        copies=float((of_new < np.quantile(of_held_out, 0.01)).mean()),
        authentic=float((of_new > _apart(seen)[which]).mean()),
    )


def _nearest(seen: Floats, asked: Floats) -> tuple[Floats, np.ndarray]:
    """Of each row asked about, the distance to the nearest row seen, and which one that is."""
    from sklearn.neighbors import NearestNeighbors

    distances, which = NearestNeighbors(n_neighbors=1).fit(seen).kneighbors(asked)
    return distances[:, 0], which[:, 0]


def _apart(seen: Floats) -> Floats:
    """Of each row, the distance to the nearest other one."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=1).fit(seen).kneighbors()
    nearest: Floats = distances[:, 0]
    return nearest


def _chance_of_less(low: Floats, high: Floats) -> Estimate:
    """How often a value of `low` is less than one of `high`, ties half; DeLong's error."""
    from isthmus.metrics.ranking import placements

    of_high, of_low = placements(
        np.concatenate([low, high]), np.repeat([False, True], [len(low), len(high)])
    )
    error = np.hypot(mean_and_error(of_high).error, mean_and_error(of_low).error)
    return Estimate(float(of_low.mean()), float(error))


def _ratio(value: float, reference: float) -> float:
    if reference > 0:
        return value / reference
    return 1.0 if value == 0 else float("inf")
