"""Sparse autoencoders: an overcomplete linear dictionary, of which each datum uses few words."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus.data.spec import DataSpec
from isthmus.errors import UnsupportedError
from isthmus.model import LatentModel
from isthmus.networks import Dictionary
from isthmus.objectives import SparseReconstruction
from isthmus.posteriors import SparsePosterior
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import Pick, pick

FAMILY = "sparse codes"
EXPANSION = 8
WIDTHS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)

# The width follows the data; a decay would shrink directions, whose length says nothing.
sparse_recipe = partial(
    recipe,
    family=FAMILY,
    argmax=False,
    axes={"latent_dim": 0},
    training={"weight_decay": 0.0, "lr": 3e-3},
)


def sparse(
    spec: DataSpec,
    axes: Axes,
    posterior: Pick,
    expansion: int,
    objective: SparseReconstruction | None = None,
) -> Built:
    """A sparse code over a linear dictionary, the encoder starting at the dictionary's transpose.

    Args:
        spec: What the data are.
        axes: The common options; a latent_dim of 0 is `expansion` times the data's size.
        posterior: The kind of sparse code.
        expansion: Latents per element of a datum.
        objective: None revives dead latents and no more.
    """
    latent_dim = axes.latent_dim or expansion * spec.size
    network = "dictionary" if axes.network == "auto" else axes.network
    built = assemble(
        spec,
        dataclasses.replace(axes, latent_dim=latent_dim, network=network),
        objective or SparseReconstruction(),
        posterior=posterior,
        prior=pick("spike-slab"),
        preferred="gaussian",
    )
    code, decoder = built.model.posterior, built.model.decoder
    if isinstance(code, SparsePosterior) and isinstance(decoder, Dictionary):
        code.tie(_of_the_mean(decoder, spec.size))
    return built


def _of_the_mean(decoder: Dictionary, size: int) -> Tensor:
    """(Z, size) what each latent adds to the likelihood's first parameter, which is its mean."""
    return decoder.directions[:, :size]


def directions(model: LatentModel) -> NDArray[np.float32]:
    """What each latent adds to a datum: (Z, *D) in the data's units, each of norm 1.

    Raises:
        UnsupportedError: The model's decoder is no dictionary.
    """
    if not isinstance(model.decoder, Dictionary):
        raise UnsupportedError(
            f"{type(model.decoder).__name__} has no directions, its slope differs from code to "
            "code: use a sparse recipe such as topk-sae."
        )
    added = _of_the_mean(model.decoder, math.prod(model.shape)).detach()
    scaled = added.unflatten(1, model.shape) * model.scaling.scale
    norms = scaled.flatten(1).norm(dim=1).view(-1, *(1 for _ in model.shape))
    return np.asarray((scaled / norms).cpu().numpy())


@sparse_recipe("sparse-l1", paper="Bricken et al., Transformer Circuits", year=2023)
def sparse_l1(spec: DataSpec, axes: Axes, expansion: int = EXPANSION, weight: float = 0.5) -> Built:
    """A sparse autoencoder that pays `weight` nats per unit of its code.

    Use it as the plain baseline of sparse codes: the price that silences latents also shrinks
    those that speak.
    """
    return sparse(spec, axes, pick("sparse-l1", weight=weight), expansion)


@sparse_recipe("topk-sae", paper="2406.04093", year=2024)
def topk_sae(spec: DataSpec, axes: Axes, expansion: int = EXPANSION, k: int | None = None) -> Built:
    """A sparse autoencoder that keeps the `k` largest latents of each datum.

    Use it to find the directions that a network's activations are sums of: the number of latents
    is set rather than tuned, and nothing shrinks them. Without a `k` it is one latent in 8, at
    most 32.
    """
    return sparse(spec, axes, pick("topk", k=k), expansion)


@sparse_recipe("batch-topk-sae", paper="2412.06410", year=2024)
def batch_topk_sae(
    spec: DataSpec, axes: Axes, expansion: int = EXPANSION, k: int | None = None
) -> Built:
    """A sparse autoencoder that keeps `k` latents per datum on average over the batch.

    Use it where some data need more latents than others; after training a latent speaks above a
    threshold, so a datum's code is its own.
    """
    return sparse(spec, axes, pick("batch-topk", k=k), expansion)


@sparse_recipe("jumprelu-sae", paper="2407.14435", year=2024)
def jumprelu_sae(
    spec: DataSpec,
    axes: Axes,
    expansion: int = EXPANSION,
    weight: float = 0.5,
    bandwidth: float = 0.05,
) -> Built:
    """A sparse autoencoder with a threshold learned for each latent, at `weight` nats per latent
    that is on.

    Use it where latents differ in how large they must be to mean something. `bandwidth` is the
    width of the kernel by which the threshold learns.
    """
    code = pick("jumprelu", weight=weight, bandwidth=bandwidth)
    return sparse(spec, axes, code, expansion)


@sparse_recipe("gated-sae", paper="2404.16014", year=2024)
def gated_sae(spec: DataSpec, axes: Axes, expansion: int = EXPANSION, weight: float = 0.5) -> Built:
    """A sparse autoencoder with one path that says which latents are on and another how much.

    Use it where sparse-l1 shrinks what it finds: the price is on the gate alone.
    """
    return sparse(spec, axes, pick("gated", weight=weight), expansion)


@sparse_recipe("matryoshka-sae", paper="2503.17547", year=2025)
def matryoshka_sae(
    spec: DataSpec,
    axes: Axes,
    expansion: int = EXPANSION,
    k: int | None = None,
    widths: tuple[float, ...] = WIDTHS,
) -> Built:
    """A sparse autoencoder whose first latents must rebuild the data on their own, at each of
    `widths`.

    Use it where a wide dictionary splits what is one into many: general latents come first. The
    widths are shares of the code; the whole code always counts.
    """
    objective = SparseReconstruction(widths=widths)
    return sparse(spec, axes, pick("batch-topk", k=k), expansion, objective)
