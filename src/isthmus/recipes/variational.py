"""Variational autoencoders with a diagonal Gaussian posterior, by what they do to the bound."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Elbo, FreeBits, Iwae
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.schedules import warm_up

FAMILY = "variational"
SHARE = 0.1


@recipe("vae", paper="1312.6114", year=2013, family=FAMILY)
def vae(spec: DataSpec, axes: Axes, kl_warmup: float = SHARE) -> Built:
    """A variational autoencoder: a Gaussian code with a price per nat, and a bound on log p(x).

    Use it to generate, to score how likely a datum is, and for codes that fill the space smoothly.
    The rate's weight climbs to one over the first share `kl_warmup` of training.
    """
    return assemble(spec, axes, Elbo(warm_up(1.0, kl_warmup)))


@recipe("sigma-vae", paper="2006.13202", year=2020, family=FAMILY)
def sigma_vae(spec: DataSpec, axes: Axes, kl_warmup: float = SHARE) -> Built:
    """A VAE whose Gaussian scale is the optimum of each batch, in closed form, so that nothing
    needs weighing.

    Use it for continuous data in place of tuning beta; evaluation reads the running scale, a
    proper density.
    """
    return assemble(spec, axes, Elbo(warm_up(1.0, kl_warmup)), preferred="gaussian-optimal")


@recipe("beta-vae", paper="Higgins et al., ICLR", year=2017, family=FAMILY)
def beta_vae(spec: DataSpec, axes: Axes, beta: float = 4.0, kl_warmup: float = SHARE) -> Built:
    """A VAE whose rate is weighed by `beta`: fewer nats in the code, each dimension more its own.

    Use it to trade reconstruction for simple, separate dimensions; beta = 1 is the VAE. The
    likelihood reported is the model's own, without the weight.
    """
    return assemble(spec, axes, Elbo(warm_up(beta, kl_warmup)))


@recipe("free-bits", paper="1606.04934", year=2016, family=FAMILY)
def free_bits(spec: DataSpec, axes: Axes, nats: float = 0.5) -> Built:
    """A VAE that pays for a dimension only beyond `nats` nats, so that none collapses.

    Use it where a VAE leaves dimensions idle, or where a strong decoder ignores the code.
    """
    return assemble(spec, axes, FreeBits(nats))


@recipe("iwae", paper="1509.00519", year=2015, family=FAMILY)
def iwae(spec: DataSpec, axes: Axes, samples: int = 5) -> Built:
    """A VAE trained on the tighter bound of `samples` importance samples.

    Use it for the best likelihood; more samples cost time in proportion and tighten the bound.
    """
    return assemble(spec, axes, Iwae(samples))
