"""Variational autoencoders by their prior: mixtures, exemplars and flows in place of one bell."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Elbo, Vade, WarmUp
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick

FAMILY = "priors"
SHARE = 0.1


@recipe("vamp-vae", paper="1705.07120", year=2017, family=FAMILY)
def vamp_vae(
    spec: DataSpec,
    axes: Axes,
    components: int = 500,
    start: str = "data",
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose prior is the mean of its own posteriors at `components` learned pseudo-inputs.

    Use it for a better likelihood and samples than the VAE at the same code size: the prior lies
    where the codes are. Each batch costs one more pass of the encoder, over the pseudo-inputs,
    which start as training data or, as in the paper's code, with `start` "noise".
    """
    prior = pick("vamp", components=components, start=start)
    return assemble(spec, axes, Elbo(WarmUp(1.0, kl_warmup)), prior=prior)


@recipe("mog-vae", paper="1611.05148", year=2016, family=FAMILY)
def mog_vae(spec: DataSpec, axes: Axes, components: int = 10, kl_warmup: float = SHARE) -> Built:
    """A VAE whose prior is a learned mixture of `components` Gaussians; its rate is sampled.

    Use it where the data fall into groups: the bound is that of the mixture itself, and
    `model.prior.responsibilities(codes)` tells the group of a code.
    """
    prior = pick("mixture", components=components)
    return assemble(spec, axes, Elbo(WarmUp(1.0, kl_warmup)), prior=prior)


@recipe("vade", paper="1611.05148", year=2016, family=FAMILY)
def vade(
    spec: DataSpec,
    axes: Axes,
    clusters: int = 10,
    pretraining: float = 0.3,
    spread: float = 0.5,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE that clusters: a mixture prior, with q(c|x) the best there is for each q(z|x).

    Use it for clusters and codes learned together; `model.prior.clusters(q)` gives q(c|x). For the
    share `pretraining` of training codes have no price; then the mixture is fitted to them, and the
    price climbs over the next `kl_warmup`. Without pretraining clusters begin `spread` apart.
    """
    prior = pick("mixture", components=clusters, spread=spread, pretraining=pretraining)
    return assemble(spec, axes, Vade(WarmUp(1.0, kl_warmup, wait=pretraining)), prior=prior)


@recipe("exemplar-vae", paper="2004.04795", year=2020, family=FAMILY)
def exemplar_vae(
    spec: DataSpec,
    axes: Axes,
    exemplars: int = 1000,
    subset: int = 200,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose prior is a mixture around the codes of training data, each left out for itself.

    Use it to generate by variation of what was seen, and where data are few. The `exemplars` are
    stored with the model: do not share a model whose data must stay private.
    """
    prior = pick("exemplar", exemplars=exemplars, subset=subset)
    return assemble(spec, axes, Elbo(WarmUp(1.0, kl_warmup)), prior=prior)


@recipe("flow-prior-vae", paper="1611.02731", year=2016, family=FAMILY)
def flow_prior_vae(
    spec: DataSpec,
    axes: Axes,
    flow: str = "affine",
    transforms: int = 3,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose prior is a masked autoregressive flow, learned along.

    Use it for the most flexible prior over a code of one axis; `flow` is affine or spline. A draw
    takes as many passes as the code has dimensions, a density one.
    """
    prior = pick("flow", kind=flow, transforms=transforms)
    return assemble(spec, axes, Elbo(WarmUp(1.0, kl_warmup)), prior=prior)
