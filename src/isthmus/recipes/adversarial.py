"""Autoencoders that train against a critic."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick

FAMILY = "adversarial"


@recipe("aae", paper="1511.05644", year=2015, family=FAMILY, argmax=False)
def aae(
    spec: DataSpec, axes: Axes, scale: float = 1.0, width: int = 256, critic_lr: float = 1e-3
) -> Built:
    """An autoencoder whose codes a critic cannot tell from draws of the prior.

    Use it for sharp reconstructions and a prior that need not have a density, only samples. There
    is no likelihood and no argmax.
    """
    return assemble(
        spec,
        axes,
        pick("aae", scale=scale, width=width, lr=critic_lr),
        posterior=pick("delta"),
        preferred="gaussian",
    )


@recipe("vae-gan", paper="1512.09300", year=2016, family=FAMILY)
def vae_gan(
    spec: DataSpec,
    axes: Axes,
    pixels: float = 0.3,
    features: float = 1.0,
    adversarial: float = 0.03,
    width: int = 16,
) -> Built:
    """A VAE whose reconstructions are judged in the features of a critic, and must convince it.

    Use it for sharp pictures: edges that a VAE blurs are kept or invented. The pixels' own
    likelihood keeps the weight `pixels`; `width` is that of the critic.
    """
    options = {"pixels": pixels, "features": features, "adversarial": adversarial, "width": width}
    return assemble(spec, axes, pick("vae-gan", **options))
