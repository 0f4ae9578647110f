"""How evenly data change along paths through the code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError
from isthmus.metrics.checks import Floats, as_rows
from isthmus.metrics.estimates import Estimate, mean_and_error


class Smoothness(NamedTuple):
    """What `path_smoothness` says of decoded paths.

    Args:
        stretch: Mean over paths of the length of the decoded path over the distance of its ends: 1
            for a straight line, more for a detour.
        jump: Mean over paths of the longest step over the mean step: 1 for an even pace, the number
            of steps for one sudden change.
        lipschitz: Median of the local stretch, a step's length in the data over its length in the
            code.
        spread: The 95th percentile of the local stretch over its median: 1 for one scale
            everywhere.
    """

    stretch: Estimate
    jump: Estimate
    lipschitz: float
    spread: float


def path_smoothness(decoded: ArrayLike, codes: ArrayLike) -> Smoothness:
    """How smoothly data change along paths of codes.

    With d_t = ‖x_{t+1} − x_t‖ and e_t = ‖z_{t+1} − z_t‖, stretch is Σ d_t / ‖x_T − x_0‖, and the
    local Lipschitz constant is estimated by d_t / e_t. Paths whose ends decode to one datum are
    left out of stretch and jump. Stretch in a feature space of one's choice is the perceptual path
    length's idea without its scale.

    Args:
        decoded: (P, T, *D) data along P paths of T codes, T at least 3.
        codes: (P, T, *Z) where they were decoded from.

    Raises:
        DataError: The paths differ in number or length, all are of no length, or a value is not
            finite.

    Reference:
        Karras et al., A Style-Based Generator Architecture, 1812.04948 (path length).
    """
    x, z = _paths(decoded, "decoded paths"), _paths(codes, "paths of codes")
    if x.shape[:2] != z.shape[:2] or x.shape[1] < 3:
        raise DataError(
            f"There are {x.shape[:2]} (paths, points) decoded and {z.shape[:2]} of codes; expected "
            "as many of both, of at least 3 points."
        )
    steps = np.linalg.norm(np.diff(x, axis=1), axis=2)
    taken = np.linalg.norm(np.diff(z, axis=1), axis=2)
    apart = np.linalg.norm(x[:, -1] - x[:, 0], axis=1)
    kept = apart > 0
    if not kept.any() or not (taken > 0).any():
        raise DataError("Every path begins and ends at one place; there is nothing to measure.")
    local = steps[taken > 0] / taken[taken > 0]
    median = float(np.median(local))
    return Smoothness(
        stretch=mean_and_error(steps[kept].sum(1) / apart[kept]),
        jump=mean_and_error(steps[kept].max(1) / steps[kept].mean(1)),
        lipschitz=median,
        spread=float(np.quantile(local, 0.95)) / median if median > 0 else float("inf"),
    )


def _paths(values: ArrayLike, what: str) -> Floats:
    paths = np.asarray(values, dtype=np.float64)
    if paths.ndim < 2:
        raise DataError(f"The {what} have shape {paths.shape}; expected (paths, points, ...).")
    rows = as_rows(paths.reshape(len(paths) * paths.shape[1], -1), what)
    return rows.reshape(*paths.shape[:2], -1)
