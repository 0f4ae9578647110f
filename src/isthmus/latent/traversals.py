"""Traversals: one number of a code at a time, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.answering import answering
from isthmus.conditions import for_each, parts
from isthmus.errors import OptionError
from isthmus.latent.asking import check_data, flat
from isthmus.latent.space import CodeSpace, Sphere, space_of
from isthmus.model import BATCH_SIZE, LatentModel

QUANTILES = (0.01, 0.99)


@final
@dataclass(frozen=True)
class Information:
    """What each number of a code tells of the data.

    Args:
        order: (n,) the numbers of a flattened code, the most telling first.
        amount: (n,) of each, in the code's own order.
        unit: "nats", the mean rate KL(q(z_j|x) || p(z_j)); "variance" of the codes where the rate
            cannot be told by dimension.
    """

    order: Tensor
    amount: Tensor
    unit: str


@final
@dataclass(frozen=True)
class Traversal:
    """Codes along single dimensions.

    Args:
        codes: (K, D, T, *Z) from each of K codes along each of D dimensions.
        dimensions: (D,) numbers of the flattened code.
        values: (D, T) what they are set to.
        information: By which they were chosen.
    """

    codes: Tensor
    dimensions: Tensor
    values: Tensor
    information: Information


def information(
    model: LatentModel,
    x: Tensor,
    *,
    condition: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Information:
    """The dimensions of a code by what they tell of x (N, *D).

    Where q and p factorise it is the mean rate of each; otherwise, as for point masses, ladders and
    codes on a sphere, the variance of the posterior means.
    """
    check_data(model, x)
    rates: list[Tensor] = []
    with answering(model):
        if model.posterior.has_density:
            for part, given in parts(x, condition, batch_size):
                said = model.evidence(part, condition=given, decoded=False).rate_per_dimension
                rates.append(said.double().sum(0))
    size = torch.Size(model.latent_shape).numel()
    if rates and rates[0].numel() == size:
        amount, unit = torch.stack(rates).sum(0) / len(x), "nats"
    else:
        codes = model.encode(x, batch_size=batch_size, condition=condition)
        amount, unit = codes.flatten(1).double().var(0, correction=0), "variance"
    order = amount.argsort(descending=True, stable=True)
    return Information(order, amount, unit)


def centre(
    model: LatentModel,
    x: Tensor,
    *,
    condition: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """The prior's mean as a code (1, *Z), or where it has none the mean of the codes of x (N, *D).

    The mean of a sphere's uniform prior is no point of it, hence the codes' there as well. A prior
    that reads the condition is asked for the first datum's.
    """
    space = space_of(model.posterior)
    told = for_each(condition, len(x), x.device)
    with answering(model):
        try:
            p = model.evidence(x[:1], condition=None if told is None else told[:1]).p
            middle = p.mean.reshape(-1, *model.latent_shape)[:1]
        except (NotImplementedError, AttributeError):
            middle = None
    if middle is None or isinstance(space, Sphere) or not bool(middle.isfinite().all()):
        codes = flat(model, model.encode(x, batch_size=batch_size, condition=condition))
        middle = space.code(space.chart(codes).mean(0, keepdim=True))
        middle = middle.unflatten(1, model.latent_shape)
    return middle.to(next(model.parameters()).dtype)


def traverse(
    model: LatentModel,
    x: Tensor,
    start: Tensor | None = None,
    *,
    dimensions: int = 8,
    steps: int = 9,
    quantiles: tuple[float, float] = QUANTILES,
    condition: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Traversal:
    """Codes that differ in one number, from one end of where data lie to the other.

    Args:
        model: Any with codes that have numbers to move.
        x: (N, *D) data, whose codes say which dimensions tell most and how far each reaches.
        start: (K, *Z) codes to move; the centre of the prior where None.
        dimensions: D, at most; the most telling ones, in that order.
        steps: T, evenly from quantile to quantile.
        quantiles: Of single draws of q(z|x) over all data: of the aggregated posterior.
        condition: (N, C) of x, for a conditional model.
        batch_size: Data in one pass.

    Raises:
        OptionError: Fewer than one dimension, fewer than 2 steps, or quantiles not in rising order.
        UnsupportedError: The codes are integers, or categories alone.

    Reference:
        Higgins et al., beta-VAE, ICLR 2017, for the figure; the range is the data's own in place of
        a fixed -3 to 3.
    """
    low, high = quantiles
    if dimensions < 1 or steps < 2 or not 0.0 <= low < high <= 1.0:
        raise OptionError(
            f"Got {dimensions} dimensions, {steps} steps and quantiles {low:g} to {high:g}: take "
            "at least 1 dimension and 2 steps, and quantiles that rise from 0 to 1."
        )
    space = space_of(model.posterior, moving=True)
    told = information(model, x, condition=condition, batch_size=batch_size)
    order = told.order if space.free is None else told.order[told.order < space.free]
    chosen = order[:dimensions]
    drawn = model.encode(x, "sample", batch_size, condition=condition)
    spread = space.chart(flat(model, drawn))[:, chosen].double().cpu().numpy()
    ends = torch.from_numpy(np.quantile(spread, quantiles, axis=0)).to(drawn)
    t = torch.linspace(0.0, 1.0, steps, dtype=ends.dtype, device=ends.device)
    values = torch.lerp(ends[0, :, None], ends[1, :, None], t)
    if start is None:
        start = centre(model, x, condition=condition, batch_size=batch_size)
    at = space.chart(flat(model, start, "codes to start from"))
    codes = space.code(_with_values(space, at, chosen, values.to(at)))
    return Traversal(codes.unflatten(-1, model.latent_shape), chosen, values, told)


def _with_values(space: CodeSpace, at: Tensor, chosen: Tensor, values: Tensor) -> Tensor:
    """(K, D, T, n) vectors (K, n) with the chosen number d (D,) set to values (D, T) in turn."""
    shape = (len(at), *values.shape, 1)
    moved = at[:, None, None].repeat(1, *values.shape, 1)
    place = chosen[:, None, None].expand(shape)
    moved.scatter_(3, place, 0.0)
    if isinstance(space, Sphere):
        # The others make room, for the number to be what it is set to on the sphere.
        room = (1.0 - values.square()).clamp(min=0.0).sqrt()[..., None]
        moved = room * F.normalize(moved, dim=-1)
    return moved.scatter(3, place, values[..., None].expand(shape))
