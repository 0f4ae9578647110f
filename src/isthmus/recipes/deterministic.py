"""Deterministic codes: no density of the code, reconstruction only."""

from __future__ import annotations

import dataclasses

from isthmus.data.spec import DataSpec
from isthmus.objectives import Reconstruction, denoising
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick

FAMILY = "deterministic codes"


@recipe("ae", paper="Hinton & Salakhutdinov, Science 313", year=2006, family=FAMILY, argmax=False)
def ae(spec: DataSpec, axes: Axes) -> Built:
    """A plain autoencoder: squeeze and rebuild.

    Use it for the best reconstruction at a given code size. New data are drawn from a Gaussian
    that is fitted to the training codes afterwards; there is no likelihood and no argmax.
    """
    return assemble(
        spec,
        axes,
        Reconstruction(),
        posterior=pick("delta"),
        prior=pick("fitted-gaussian"),
        preferred="gaussian",
    )


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
def dae(spec: DataSpec, axes: Axes, sigma: float = 0.3) -> Built:
    """A denoising autoencoder: the input is corrupted by noise of standard deviation `sigma`, the
    target is clean.

    Use it for features that survive noise, and against overfitting where data are few. `sigma` is
    in the model's scaled units.
    """
    return assemble(
        spec,
        axes,
        denoising(sigma),
        posterior=pick("delta"),
        prior=pick("fitted-gaussian"),
        preferred="gaussian",
    )
