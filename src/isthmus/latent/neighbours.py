"""The nearest codes to a code."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from isthmus.answering import answering
from isthmus.conditions import parts
from isthmus.errors import OptionError, UnsupportedError
from isthmus.latent.asking import check_data, flat
from isthmus.latent.space import Ball, CodeSpace, Sphere, space_of
from isthmus.model import LatentModel
from isthmus.registry import Registry

CODE_METRICS = Registry("metric of codes")
# Numbers at a time, in what distances are taken of.
BLOCK = 2**22


class Neighbours(NamedTuple):
    """The nearest of some codes, the nearest first.

    Args:
        indices: (B, k) rows of the codes.
        distances: (B, k).
    """

    indices: Tensor
    distances: Tensor


def nearest(
    model: LatentModel,
    queries: Tensor,
    codes: Tensor,
    k: int = 5,
    *,
    metric: str = "euclidean",
) -> Neighbours:
    """The k nearest of some codes to each query.

    Args:
        model: Whose codes they are.
        queries: (B, *Z).
        codes: (N, *Z).
        k: How many, at most N.
        metric: "euclidean"; "cosine", 1 minus the cosine of the angle at the origin; "natural",
            the geodesic distance of the space that the codes live in: the angle on a sphere, the
            hyperbolic distance in the Poincaré ball, else Euclidean.

    Raises:
        DataError: Not codes of this model.
        OptionError: `k` is not in 1 .. N.
        UnknownNameError: There is no such metric.
        UnsupportedError: The codes are integers.
    """
    measure = CODE_METRICS[metric].factory
    space = space_of(model.posterior)
    rows, among = flat(model, queries, "queries"), flat(model, codes)
    _check(k, len(among))
    block = max(1, BLOCK // among.numel())
    found = [_least(measure(space, part, among), k) for part in rows.split(block)]
    return _joined(found)


def nearest_by_posterior(
    model: LatentModel,
    x: Tensor,
    codes: Tensor,
    k: int = 5,
    *,
    condition: Tensor | None = None,
    batch_size: int = 128,
) -> Neighbours:
    """The k codes that q(z|x) holds for the likeliest, by -log q(z|x) in nats.

    Of a Gaussian posterior it is, but for a constant, half of the squared distance in units of its
    own scales: what a datum leaves open keeps nobody away.

    Args:
        model: With a posterior that has a density of the code alone.
        x: (B, *D) the queries, in the data's units.
        codes: (N, *Z).
        k: How many, at most N.
        condition: (B, C), for a conditional model.
        batch_size: Queries in one pass.

    Raises:
        DataError: Not codes of this model.
        OptionError: `k` is not in 1 .. N.
        UnsupportedError: The posterior has no density of z alone.
    """
    posterior = model.posterior
    if not posterior.has_density or posterior.joint_density:
        raise UnsupportedError(
            f"{type(posterior).__name__} has no density of a code by itself: take the metric "
            "'euclidean' of `nearest`, or a recipe such as vae."
        )
    check_data(model, x)
    flat(model, codes)
    _check(k, len(codes))
    found = []
    with answering(model):
        for part, given in parts(x, condition, batch_size):
            q = model.infer(model.scaling(part), given)
            found.append(_least(_surprise(q, codes, len(part)), k))
    return _joined(found)


def _surprise(q: Distribution, codes: Tensor, queries: int) -> Tensor:
    """-log q (B, N) of codes (N, *Z) by each of B posteriors."""
    block = max(1, BLOCK // (queries * codes[0].numel()))
    said = [
        q.log_prob(part.unsqueeze(1).expand(-1, queries, *codes.shape[1:]))
        for part in codes.split(block)
    ]
    return -torch.cat(said).T


def _check(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise OptionError(f"k is {k} neighbours of {n} codes; it must be from 1 to {n}.")


def _least(distances: Tensor, k: int) -> Neighbours:
    values, indices = distances.topk(k, dim=1, largest=False)
    return Neighbours(indices, values)


def _joined(found: list[Neighbours]) -> Neighbours:
    return Neighbours(*(torch.cat(part) for part in zip(*found, strict=True)))


@CODE_METRICS.register("euclidean")
def _euclidean(_: object, a: Tensor, b: Tensor) -> Tensor:
    # By differences: the product's way around loses what near neighbours differ in.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


@CODE_METRICS.register("cosine")
def _cosine(_: object, a: Tensor, b: Tensor) -> Tensor:
    return 1.0 - F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T


@CODE_METRICS.register("natural")
def _natural(space: CodeSpace, a: Tensor, b: Tensor) -> Tensor:
    if isinstance(space, Sphere):
        # From the chord: the arc cosine would lose half of the digits of near neighbours.
        return 2.0 * (0.5 * _euclidean(space, a, b)).clamp(max=1.0).asin()
    if isinstance(space, Ball):
        return space.distance(a.unsqueeze(1), b.unsqueeze(0))
    return _euclidean(space, a, b)
