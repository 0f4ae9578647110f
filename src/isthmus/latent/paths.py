"""Paths between codes that ask no decoder: straight lines, great circles, the space's own."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.errors import DataError, OptionError
from isthmus.latent.asking import flat
from isthmus.latent.space import CodeSpace, linear, space_of, spherical
from isthmus.model import LatentModel
from isthmus.registry import Registry

PATHS = Registry("path")


def interpolate(
    model: LatentModel, a: Tensor, b: Tensor, steps: int = 9, path: str = "natural"
) -> Tensor:
    r"""Codes on the way from each of `a` to its partner in `b`.

    "natural" is the shortest path of the space that the codes live in: a line in R^n, an arc of a
    great circle on the sphere, a hyperbolic line in the Poincaré ball. "spherical" turns the
    direction and lets the length go evenly. In R^n it is the better one where codes fill a
    standard normal in all of many dimensions: half-way on a line between two independent draws the
    length is about :math:`\sqrt{n / 2}`, where the prior has almost no mass, and the arc stays at
    :math:`\sqrt n`. In few dimensions, or where most of them are collapsed, take the line:
    near the origin the arc would make a detour about it. `Aggregate.quantile` says how usual the
    codes on the way are.

    Args:
        model: Whose codes they are.
        a: (B, *Z) where paths begin.
        b: (B, *Z) where they end.
        steps: T, both ends counted.
        path: "natural", "linear" or "spherical".

    Returns:
        (B, T, *Z).

    Raises:
        DataError: `a` and `b` are not equally many codes of this model.
        OptionError: Fewer than 2 steps, or an arc between codes with categories in them.
        UnknownNameError: There is no such path.
        UnsupportedError: The codes are integers.

    Reference:
        White, Sampling Generative Networks, arXiv 1609.04468.
    """
    chosen = PATHS[path].factory
    space = space_of(model.posterior)
    first, last = ends(model, a, b, steps)
    t = torch.linspace(0.0, 1.0, steps, dtype=first.dtype, device=first.device)
    found: Tensor = chosen(space, first, last, t)
    return found.unflatten(-1, model.latent_shape)


def ends(model: LatentModel, a: Tensor, b: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Both ends of paths as rows (B, n), checked.

    Raises:
        DataError: They are not equally many codes of this model.
        OptionError: Fewer than 2 steps.
    """
    if steps < 2:
        raise OptionError(f"A path takes at least 2 steps, its ends; got {steps}.")
    first, last = flat(model, a, "first ends"), flat(model, b, "last ends")
    if len(first) != len(last):
        raise DataError(
            f"There are {len(first)} first and {len(last)} last ends: give one partner for each."
        )
    return first, last


@PATHS.register("natural")
def _natural(space: CodeSpace, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return space.path(a, b, t)


@PATHS.register("linear")
def _linear(space: CodeSpace, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return space.code(linear(space.chart(a), space.chart(b), t))


@PATHS.register("spherical")
def _spherical(space: CodeSpace, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    if space.free is not None:
        raise OptionError(
            "An arc between codes with categories in them leaves the probabilities: take the path "
            "'natural'."
        )
    return space.code(spherical(space.chart(a), space.chart(b), t))
