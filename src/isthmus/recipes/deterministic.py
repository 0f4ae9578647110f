"""Deterministic codes: no density of the code, reconstruction only."""

from __future__ import annotations

import dataclasses

from isthmus.data.spec import DataSpec
from isthmus.errors import UnsupportedError
from isthmus.model import LatentModel
from isthmus.objectives import Contractive, Objective, Reconstruction, Regularised, denoising
from isthmus.posteriors import ConcreteSelector
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick

FAMILY = "deterministic codes"


def deterministic(spec: DataSpec, axes: Axes, objective: Objective) -> Built:
    """A point as the code, sampled from a Gaussian that is fitted after training."""
    return assemble(
        spec,
        axes,
        objective,
        posterior=pick("delta"),
        prior=pick("fitted-gaussian"),
        preferred="gaussian",
    )


@recipe("ae", paper="Hinton & Salakhutdinov, Science 313", year=2006, family=FAMILY, argmax=False)
def ae(spec: DataSpec, axes: Axes) -> Built:
    """A plain autoencoder: squeeze and rebuild.

    Use it for the best reconstruction at a given code size. New data are drawn from a Gaussian
    that is fitted to the training codes afterwards; there is no likelihood and no argmax.
    """
    return deterministic(spec, axes, Reconstruction())


@recipe(
    "linear-ae",
    paper="Baldi & Hornik, Neural Networks 2",
    year=1989,
    family=FAMILY,
    argmax=False,
    training={"lr": 2e-2, "weight_decay": 0.0},
)
def linear_ae(spec: DataSpec, axes: Axes) -> Built:
    """A linear autoencoder under squared error: it spans the subspace of PCA.

    Use it to check what a network adds over a linear map, and the training itself: it must reach
    PCA.
    """
    return ae(spec, dataclasses.replace(axes, network="linear"))


@recipe("dae", paper="Vincent et al., ICML", year=2008, family=FAMILY, argmax=False)
def dae(spec: DataSpec, axes: Axes, sigma: float = 0.3, masking: float = 0.0) -> Built:
    """A denoising autoencoder: the input is corrupted by noise of standard deviation `sigma`, the
    target is clean.

    Use it for features that survive noise, and against overfitting where data are few. `sigma` is
    in the model's scaled units. With `masking` above 0 that share of the elements is set to 0 (in
    those units: to the mean) in place of the noise, as in the paper.
    """
    return deterministic(spec, axes, denoising(sigma, masking=masking))


@recipe("cae", paper="Rifai et al., ICML", year=2011, family=FAMILY, argmax=False)
def cae(spec: DataSpec, axes: Axes, weight: float = 0.1, probes: int | None = None) -> Built:
    """A contractive autoencoder: the code's squared slope in x costs `weight` nats.

    Use it for codes that change only along the directions in which data differ. The slope is
    exact, at a backward pass per latent dimension, or estimated from `probes` random directions.
    """
    return deterministic(spec, axes, Contractive(weight, probes))


# The paper decays the decoder alone; so small a decay of the encoder does nothing to it.
@recipe(
    "rae-l2",
    paper="1903.12436",
    year=2019,
    family=FAMILY,
    argmax=False,
    training={"weight_decay": 1e-7},
)
def rae_l2(spec: DataSpec, axes: Axes, beta: float = 1e-4) -> Built:
    """A regularised autoencoder: small codes at `beta` nats per ½‖z‖², a small decoder by weight
    decay.

    Use it to generate without a VAE's noise: a density fitted to the codes after training stands
    for the prior.
    """
    return deterministic(spec, axes, Regularised(beta))


@recipe(
    "rae-gp",
    paper="1903.12436",
    year=2019,
    family=FAMILY,
    argmax=False,
    training={"weight_decay": 0.0},
)
def rae_gp(
    spec: DataSpec, axes: Axes, beta: float = 1e-4, smoothness: float = 1e-7, probes: int = 1
) -> Built:
    """A regularised autoencoder whose decoder is kept smooth by its squared slope, at `smoothness`.

    Use it as rae-l2, where what is between two codes matters. The slope is estimated from `probes`
    random directions.
    """
    return deterministic(spec, axes, Regularised(beta, smoothness, probes))


@recipe(
    "concrete-ae",
    paper="1901.09346",
    year=2019,
    family=FAMILY,
    argmax=False,
    # Judged by the hard choice, it is worse than the mean of the data until the choice hardens.
    training={"lr": 1e-2, "weight_decay": 0.0, "patience": 0},
)
def concrete_ae(spec: DataSpec, axes: Axes, start: float = 10.0, end: float = 0.1) -> Built:
    """An autoencoder whose code is a choice of latent_dim of the data's own columns.

    Use it to find the few measurements from which all others can be told: `columns` names them.
    The choice hardens as its temperature falls from `start` to `end`.
    """
    k = min(axes.latent_dim, spec.size)
    built = assemble(
        spec,
        dataclasses.replace(axes, network="selecting", latent_dim=k),
        Reconstruction(),
        posterior=pick("concrete-selector", start=start, end=end),
        prior=pick("fitted-gaussian"),
        preferred="gaussian",
    )
    if k == axes.latent_dim:
        return built
    note = f"A datum has {k} columns, fewer than the latent_dim of {axes.latent_dim}: it takes {k}."
    return dataclasses.replace(built, notes=(*built.notes, note))


def columns(model: LatentModel, spec: DataSpec) -> list[str]:
    """The columns that the code of a concrete-ae is made of, one for each latent.

    Returns:
        Their names; the index in the flattened datum where columns have none.

    Raises:
        UnsupportedError: The model chooses no columns.
    """
    if not isinstance(model.posterior, ConcreteSelector):
        raise UnsupportedError(
            f"{type(model.posterior).__name__} mixes all columns: use the recipe concrete-ae."
        )
    names = [column.name for column in spec.columns]
    named = names if len(names) == spec.size else [str(i) for i in range(spec.size)]
    return [named[i] for i in model.posterior.chosen.tolist()]
