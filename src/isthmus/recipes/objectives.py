"""Variational autoencoders by what they minimise in place of the plain bound."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import (
    Annealed,
    Ciwae,
    DipVae,
    DregIwae,
    InfoVae,
    Miwae,
    Piwae,
    Renyi,
    StickingTheLanding,
    Swae,
    WaeMmd,
    WarmUp,
    dip_vae_ii,
)
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick
from isthmus.schedules import warm_up

FAMILY = "objectives"
# Of a nat beside the capacity: the paper's, of images of 64 x 64.
PRICE_PER_ELEMENT = 1000 / 4096


@recipe("beta-tcvae", paper="1802.04942", year=2018, family=FAMILY)
def beta_tcvae(
    spec: DataSpec, axes: Axes, alpha: float = 1.0, beta: float = 6.0, gamma: float = 1.0
) -> Built:
    """A VAE whose rate is taken apart, and whose total correlation alone is weighed by `beta`.

    Use it for separate dimensions at a smaller loss of detail than beta-vae's. `alpha` weighs the
    information of code and datum, `gamma` how far each dimension is from the prior.
    """
    return assemble(spec, axes, pick("beta-tcvae", alpha=alpha, beta=beta, gamma=gamma))


@recipe("factor-vae", paper="1802.05983", year=2018, family=FAMILY)
def factor_vae(
    spec: DataSpec, axes: Axes, gamma: float = 10.0, width: int = 1000, depth: int = 6
) -> Built:
    """A VAE that also pays `gamma` per nat of total correlation, which a critic estimates.

    Use it for separate dimensions where batches are too small for beta-tcvae's estimate. The critic
    has `depth` layers of `width` units; a narrower one is faster and usually enough.
    """
    return assemble(spec, axes, pick("factor-vae", gamma=gamma, width=width, depth=depth))


@recipe("dip-vae-i", paper="1711.00848", year=2018, family=FAMILY)
def dip_vae_i(
    spec: DataSpec, axes: Axes, off_diagonal: float = 10.0, diagonal: float = 100.0
) -> Built:
    """A VAE whose mean codes are held to an uncorrelated, unit covariance over the data.

    Use it for uncorrelated dimensions at no second network and hardly any cost.
    """
    return assemble(spec, axes, DipVae(off_diagonal, diagonal))


@recipe("dip-vae-ii", paper="1711.00848", year=2018, family=FAMILY)
def dip_vae_ii_recipe(
    spec: DataSpec, axes: Axes, off_diagonal: float = 10.0, diagonal: float = 10.0
) -> Built:
    """A VAE whose aggregate posterior, noise included, is held to the identity's covariance.

    Use it in place of dip-vae-i where idle dimensions should be allowed to be pure noise.
    """
    return assemble(spec, axes, dip_vae_ii(off_diagonal, diagonal))


@recipe("annealed-vae", paper="1804.03599", year=2018, family=FAMILY)
def annealed_vae(
    spec: DataSpec,
    axes: Axes,
    capacity: float = 25.0,
    gamma: float | None = None,
    share: float = 0.8,
) -> Built:
    """A VAE given a rate of `capacity` nats, which it reaches over the first `share` of training.

    Use it to set the code's information rather than its price; dimensions come in one by one, the
    most useful first. `gamma` is the price of a nat away from the capacity, without one the paper's
    1,000 for each 4,096 elements of a datum, or 1.
    """
    price = max(1.0, PRICE_PER_ELEMENT * spec.size) if gamma is None else gamma
    return assemble(spec, axes, Annealed(WarmUp(capacity, share), price))


@recipe("miwae", paper="1802.04537", year=2018, family=FAMILY)
def miwae(spec: DataSpec, axes: Axes, bounds: int = 4, samples: int = 4) -> Built:
    """A VAE trained on the mean of `bounds` importance-weighted bounds of `samples` each.

    Use it where iwae's many samples drown the encoder's gradient. The paper keeps the product 64.
    """
    return assemble(spec, axes, Miwae(bounds, samples))


@recipe("piwae", paper="1802.04537", year=2018, family=FAMILY)
def piwae(spec: DataSpec, axes: Axes, bounds: int = 4, samples: int = 4) -> Built:
    """A VAE whose encoder climbs miwae's bounds and whose decoder climbs the tightest one.

    Use it for iwae's likelihood with a better encoder. The paper keeps `bounds` x `samples` at 64.
    """
    return assemble(spec, axes, Piwae(bounds, samples))


@recipe("ciwae", paper="1802.04537", year=2018, family=FAMILY)
def ciwae(spec: DataSpec, axes: Axes, share: float = 0.05, samples: int = 8) -> Built:
    """A VAE between the ELBO, of which it takes `share`, and the bound of `samples` samples.

    Use it to keep an encoder honest with a little of the ELBO while the decoder enjoys the tighter
    bound.
    """
    return assemble(spec, axes, Ciwae(share, samples))


@recipe("dreg-iwae", paper="1810.04152", year=2018, family=FAMILY)
def dreg_iwae(spec: DataSpec, axes: Axes, samples: int = 5) -> Built:
    """An iwae whose encoder follows the doubly reparameterised gradient, with less noise.

    Use it in place of iwae as the samples grow: the bound is the same, the encoder learns better.
    """
    return assemble(spec, axes, DregIwae(samples))


@recipe("stl", paper="1703.09194", year=2017, family=FAMILY)
def stl(spec: DataSpec, axes: Axes, samples: int = 1, kl_warmup: float = 0.1) -> Built:
    """A VAE whose gradient leaves out the score of q: its noise vanishes as q becomes exact.

    Use it with flexible posteriors, whose rate has no closed form anyway.
    """
    return assemble(spec, axes, StickingTheLanding(warm_up(1.0, kl_warmup), samples))


@recipe("renyi-vae", paper="1602.02311", year=2016, family=FAMILY)
def renyi_vae(spec: DataSpec, axes: Axes, alpha: float = 0.5, samples: int = 5) -> Built:
    """A VAE trained on the Rényi bound of order `alpha`: 1 is the VAE, 0 the iwae.

    Use it to choose between a posterior that covers all of the true one and one that sits on its
    mode.
    """
    return assemble(spec, axes, Renyi(alpha, samples))


@recipe("info-vae", paper="1706.02262", year=2017, family=FAMILY)
def info_vae(spec: DataSpec, axes: Axes, alpha: float = 0.5, scale: float = 10.0) -> Built:
    """A VAE that pays less for information, by `alpha`, and holds codes to the prior by the MMD.

    Use it where a VAE ignores its code, as it does under a strong decoder.
    """
    return assemble(spec, axes, InfoVae(alpha, scale))


@recipe("wae-mmd", paper="1711.01558", year=2017, family=FAMILY, argmax=False)
def wae_mmd(spec: DataSpec, axes: Axes, scale: float = 10.0) -> Built:
    """An autoencoder whose codes together look like the prior, by the MMD; each is a point.

    Use it for reconstructions as sharp as an autoencoder's and codes that can be sampled. There is
    no likelihood and no argmax.
    """
    return assemble(spec, axes, WaeMmd(scale), posterior=pick("delta"), preferred="gaussian")


@recipe("swae", paper="1804.01947", year=2018, family=FAMILY, argmax=False)
def swae(spec: DataSpec, axes: Axes, scale: float = 10.0, projections: int = 50) -> Built:
    """An autoencoder whose codes together look like the prior along random directions.

    Use it as wae-mmd, without a kernel to choose; more `projections` make it less noisy.
    """
    return assemble(
        spec, axes, Swae(scale, projections), posterior=pick("delta"), preferred="gaussian"
    )


@recipe("ms-ssim-vae", paper="1511.06409", year=2017, family=FAMILY, kinds=("image",))
def ms_ssim_vae(spec: DataSpec, axes: Axes, scale: float = 100.0, beta: float = 1.0) -> Built:
    """A VAE whose reconstructions are judged by their structural similarity at several scales.

    Use it for images whose structure matters more than the level of each pixel. `scale` is in nats
    per unit of dissimilarity.
    """
    return assemble(spec, axes, pick("ms-ssim", scale=scale, beta=beta), preferred="gaussian")
