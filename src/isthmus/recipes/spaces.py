"""Codes in other spaces than R^Z: sphere, hyperbolic ball, categories, and both kinds at once."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Elbo, JointCapacity
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick
from isthmus.schedules import Exponential, warm_up

FAMILY = "other spaces"
SHARE = 0.1
# Of a nat beside its capacity: 30 for the paper's images of 32 by 32, whose distortion is a sum.
PRICE_PER_ELEMENT = 30 / 1024


@recipe("svae", paper="1804.00891", year=2018, family=FAMILY)
def svae(spec: DataSpec, axes: Axes, kl_warmup: float = SHARE) -> Built:
    """A VAE whose code is a direction: von Mises–Fisher on the sphere, with a uniform prior.

    Use it where only the angle between codes should count, as for cosine similarity; no point of
    the sphere is a centre that codes crowd into. `latent_dim` is that of the space around the
    sphere, at least 2, and one more than the freedom of a code. One concentration for all
    directions carries a little less than a vae's scale for each.
    """
    return assemble(
        spec,
        axes,
        Elbo(warm_up(1.0, kl_warmup)),
        posterior=pick("von-mises-fisher"),
        prior=pick("sphere-uniform"),
    )


@recipe("poincare-vae", paper="1901.06033", year=2019, family=FAMILY)
def poincare_vae(
    spec: DataSpec, axes: Axes, curvature: float = 1.0, kl_warmup: float = SHARE
) -> Built:
    """A VAE whose code lies in a hyperbolic space: wrapped normals on the Poincaré ball.

    Use it for data that branch like a tree, in few dimensions: the space grows exponentially with
    the distance from its centre. `curvature` says how strongly it bends.
    """
    return assemble(
        spec,
        axes,
        Elbo(warm_up(1.0, kl_warmup)),
        posterior=pick("wrapped-normal", curvature=curvature),
        prior=pick("ball-normal", curvature=curvature),
    )


@recipe("categorical-vae", paper="1611.01144, 1611.00712", year=2016, family=FAMILY)
def categorical_vae(
    spec: DataSpec,
    axes: Axes,
    n_categories: int = 10,
    temperature: float = 1.0,
    final_temperature: float = 0.5,
    rate: float = 1.4,
    step: float = 0.0,
    straight_through: bool = False,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose code is `latent_dim` choices, each among `n_categories` classes.

    Use it for codes that are integers (`argmax`), for bits, and for clusters. Draws are relaxed
    while training, at a temperature that falls from `temperature` by exp(−`rate` · progress),
    renewed every `step` of training, and one-hot afterwards.
    """
    cooling = Exponential(final_temperature, temperature, rate, step)
    return assemble(
        spec,
        axes,
        Elbo(warm_up(1.0, kl_warmup)),
        posterior=pick(
            "categorical",
            n_categories=n_categories,
            temperature=cooling,
            straight_through=straight_through,
        ),
        prior=pick("uniform-categorical"),
    )


@recipe("joint-vae", paper="1804.00104", year=2018, family=FAMILY)
def joint_vae(
    spec: DataSpec,
    axes: Axes,
    n_choices: int = 1,
    n_categories: int = 10,
    continuous_nats: float = 5.0,
    discrete_nats: float = 5.0,
    gamma: float | None = None,
    share: float = 0.9,
) -> Built:
    """A VAE with `latent_dim` numbers beside `n_choices` choices, each part held at a capacity of
    its own.

    Use it where the data have kinds as well as degrees. The capacities grow from 0 to
    `continuous_nats` and `discrete_nats` over the first `share` of training; `gamma` is the price
    of a nat away from them, without one the paper's 30 for each 1,024 elements of a datum, or 1.
    Its capacities are for parting kinds from degrees, and cost log p(x).
    """
    price = max(1.0, PRICE_PER_ELEMENT * spec.size) if gamma is None else gamma
    sizes = {"n_choices": n_choices, "n_categories": n_categories}
    return assemble(
        spec,
        axes,
        JointCapacity(continuous_nats, discrete_nats, price, share),
        posterior=pick("joint", **sizes),
        prior=pick("joint", **sizes),
    )
