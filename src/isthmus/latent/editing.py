"""Editing data: encode, move the code, decode, with what the posterior leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from isthmus.answering import answering
from isthmus.conditions import for_each
from isthmus.errors import OptionError
from isthmus.latent.aggregate import Aggregate
from isthmus.latent.asking import check_data
from isthmus.latent.attributes import Attribute, move
from isthmus.latent.space import space_of
from isthmus.model import BATCH_SIZE, LatentModel


@final
@dataclass(frozen=True)
class Edited:
    """Data after a move of their codes.

    Args:
        mean: (B, *D) of E[x|z] over draws of the moved q(z|x), in the data's units.
        spread: (B, *D) its standard deviation over those draws: what the code leaves open. It is 0
            where q(z|x) is a point.
        codes: (B, *Z) the moved posterior means.
        log_prior: (B,) log p(z) of the moved means in nats; NaN where the prior has no density.
        quantile: (B,) the share of the data's own codes that lie no further out than the moved
            means, as `Aggregate.quantile` says it; NaN without an aggregate.
    """

    mean: Tensor
    spread: Tensor
    codes: Tensor
    log_prior: Tensor
    quantile: Tensor


def edit(
    model: LatentModel,
    x: Tensor,
    towards: Attribute | Tensor,
    by: float | Tensor = 1.0,
    *,
    draws: int = 16,
    aggregate: Aggregate | None = None,
    condition: Tensor | None = None,
    target: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Edited:
    """Data moved along a direction of the code.

    The same move is made by every draw of q(z|x), so that what the datum leaves open stays open.

    Args:
        model: Any with codes that have numbers to move.
        x: (B, *D) in the data's units.
        towards: An attribute, or a vector (*Z) or (B, *Z).
        by: How many times the vector, one for all or (B,); 0 is the plain reconstruction.
        draws: S of q(z|x), by torch's generator; 1 is enough where q is a point.
        aggregate: Of the codes of data at hand, to say how usual the moved codes are.
        condition: (B, C), for a conditional model.
        target: (B, C) or (C,) the condition to decode under, where it is to be another.
        batch_size: Codes in one pass.

    Raises:
        DataError: Shapes do not fit.
        OptionError: Fewer than one draw.
        UnsupportedError: The codes are integers, or categories alone.
    """
    if draws < 1:
        raise OptionError(f"To edit takes at least one draw of q(z|x); got {draws}.")
    check_data(model, x)
    space_of(model.posterior, moving=True)
    vector = towards.vector if isinstance(towards, Attribute) else towards
    whole = vector.to(x) if vector.dim() > len(model.latent_shape) else vector.to(x).unsqueeze(0)
    vectors = whole.expand(len(x), *model.latent_shape)
    steps = torch.as_tensor(by).to(x).expand(len(x))
    told = for_each(condition, len(x), x.device)
    meant = told if target is None else for_each(target.to(x), len(x), x.device)
    found: list[tuple[Tensor, ...]] = []
    with answering(model):
        for rows in torch.arange(len(x), device=x.device).split(max(1, batch_size // draws)):
            given, wanted = (None if c is None else c[rows] for c in (told, meant))
            found.append(
                _edit_part(model, x[rows], vectors[rows], steps[rows], draws, given, wanted)
            )
    mean, spread, codes, log_prior = (torch.cat(part) for part in zip(*found, strict=True))
    if aggregate is None:
        return Edited(mean, spread, codes, log_prior, torch.full_like(log_prior, torch.nan))
    return Edited(mean, spread, codes, log_prior, aggregate.quantile(codes).to(log_prior))


def _edit_part(
    model: LatentModel,
    x: Tensor,
    vectors: Tensor,
    by: Tensor,
    draws: int,
    condition: Tensor | None,
    target: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    said = model.evidence(x, draws, condition=condition)
    every = vectors.repeat(draws, *[1] * (vectors.dim() - 1))
    moved = move(model, said.z.flatten(0, 1), every, by.repeat(draws))
    wanted = None if target is None else target.repeat(draws, 1)
    again = model.decode(moved, condition=wanted).unflatten(0, (draws, len(x)))
    codes = move(model, said.q.mean, vectors, by)
    p = said.p if target is None else model.evidence(x, 1, condition=target).p
    try:
        log_prior = p.log_prob(codes)
    except NotImplementedError:
        log_prior = codes.new_full((len(codes),), torch.nan)
    return again.mean(0), again.std(0, correction=0), codes, log_prior
