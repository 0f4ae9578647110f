"""Latent variables above latent variables: as a prior, and as a second stage."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.likelihoods import DatumGaussianLikelihood, Likelihood, SharedGaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import Elbo, FreeBits, WarmUp
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import LatentModelPrior, Prior, StandardNormal
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick
from isthmus.schedules import warm_up

FAMILY = "hierarchies"
SHARE = 0.1


@recipe("hierarchical-vae", paper="1509.00519", year=2015, family=FAMILY)
def hierarchical_vae(
    spec: DataSpec,
    axes: Axes,
    levels: int = 2,
    inner_hidden: tuple[int, ...] = (128, 128),
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose prior is a VAE of its codes, each of its `levels` half as wide as the one below.

    Use it for a better likelihood than one level gives; every bound and importance weight is that
    of the joint model. The code is the lowest level's, the rate a one-sample estimate.
    """
    widths = _halved(axes.latent_dim, levels)
    prior: Prior = StandardNormal((widths[-1],))
    for outer, inner in reversed(list(pairwise(widths))):
        likelihood = DatumGaussianLikelihood((outer,))
        model = _model_of_codes(likelihood, inner, prior, inner_hidden, axes.activation)
        prior = LatentModelPrior((outer,), model)
    return assemble(
        spec, axes, Elbo(WarmUp(1.0, kl_warmup)), prior=pick("latent-model", model=model)
    )


@recipe("ladder-vae", paper="1602.02282", year=2016, family=FAMILY, argmax=False)
def ladder_vae(
    spec: DataSpec,
    axes: Axes,
    levels: int = 3,
    inner_hidden: tuple[int, ...] = (128, 128),
    nats: float = 0.5,
    kl_warmup: float = SHARE,
) -> Built:
    """A hierarchy whose posterior is drawn from the top down, each level the precision-weighted
    mean of what the prior expects there and of what the datum says; the widths halve upwards.

    Use it where a hierarchy's upper levels fall idle. The code is all levels side by side, the
    lowest first; each has `nats` free nats.
    """
    widths = _halved(axes.latent_dim, levels)
    chain = pick("ladder", widths=widths, hidden=inner_hidden, activation=axes.activation)
    objective = FreeBits(nats, beta=warm_up(1.0, kl_warmup))
    return assemble(spec, axes, objective, posterior=chain, prior=chain, lowest=widths[0])


@recipe("two-stage-vae", paper="1903.05789", year=2019, family=FAMILY)
def two_stage_vae(
    spec: DataSpec,
    axes: Axes,
    inner_hidden: tuple[int, ...] = (256, 256),
    steps: int = 2000,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE, and a second one fitted to sampled codes of the first after its training.

    Use it for better samples from a VAE that is good already: they are drawn through both. Codes,
    reconstructions and log p(x) are those of the first alone.
    """
    prior = StandardNormal((axes.latent_dim,))
    likelihood = SharedGaussianLikelihood((axes.latent_dim,))
    model = _model_of_codes(likelihood, axes.latent_dim, prior, inner_hidden, axes.activation)
    return assemble(
        spec,
        axes,
        Elbo(WarmUp(1.0, kl_warmup)),
        sampler=pick("fitted-model", model=model, steps=steps),
    )


def _halved(width: int, levels: int) -> list[int]:
    """The widths of `levels` levels, each half as wide as the one below."""
    if levels < 2:
        raise OptionError(f"A hierarchy has levels >= 2, got {levels}: use the recipe 'vae'.")
    return [max(1, width >> level) for level in range(levels)]


def _model_of_codes(
    likelihood: Likelihood, latent: int, prior: Prior, hidden: Sequence[int], activation: str
) -> LatentModel:
    encoder = MLPEncoder(likelihood.shape, hidden, activation)
    decoder = MLPDecoder((latent,), likelihood.parameter_shape(), hidden[::-1], activation)
    return LatentModel(
        encoder, DiagonalGaussian(encoder.features, (latent,)), prior, decoder, likelihood
    )
