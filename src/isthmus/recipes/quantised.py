"""Quantised codes: the code is a few integers, and what it carries is counted in bits.

The codes of images of 16 × 16 and more lie in a grid, one for each patch of `downsample` ×
`downsample` pixels; those of all other data, or where `positions` or a network of flat features is
asked for, in a sequence.
"""

from __future__ import annotations

import math
from dataclasses import replace

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.networks import is_large, map_size
from isthmus.objectives import Reconstruction
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.recipes.networks import makes_maps
from isthmus.registry import Pick, pick

FAMILY = "quantised codes"
POSITIONS, DOWNSAMPLE = 8, 4


@recipe("vq-vae", paper="1711.00937", year=2017, family=FAMILY)
def vq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int | None = None,
    downsample: int = DOWNSAMPLE,
    n_codes: int = 512,
    commitment: float = 0.25,
    ema: bool = True,
    decay: float = 0.99,
    kmeans: bool = True,
    revive: float = 0.1,
    cosine: bool = False,
) -> Built:
    """A code of integers, in a grid over an image or at `positions` of a sequence: at each, the
    nearest of `n_codes` learned vectors of width `latent_dim`.

    Use it to compress, or to hand data to a model of sequences: `encode(mode="argmax")` gives the
    integers, `decode` takes them, and an autoregressive prior over them is fitted after training.
    """
    codebook = {"ema": ema, "decay": decay, "kmeans": kmeans, "revive": revive, "cosine": cosine}
    return quantised(
        spec,
        axes,
        positions,
        downsample,
        pick("vq", n_codes=n_codes, commitment=commitment, **codebook),
    )


@recipe("rvq-vae", paper="2107.03312", year=2021, family=FAMILY)
def rvq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int | None = None,
    downsample: int = DOWNSAMPLE,
    stages: int = 4,
    n_codes: int = 256,
    commitment: float = 0.25,
    dropout: float = 0.5,
) -> Built:
    """A VQ-VAE whose position is a sum of `stages` codewords, each for what the ones before left
    over.

    Use it for a finer code than one codebook can give, and for one that can be cut short: -1 in
    place of the integers of the last stages leaves them out.
    """
    options = {"n_codes": n_codes, "commitment": commitment, "dropout": dropout}
    return quantised(spec, axes, positions, downsample, pick("rvq", stages=stages, **options))


@recipe("fsq-vae", paper="2309.15505", year=2023, family=FAMILY)
def fsq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int | None = None,
    downsample: int = DOWNSAMPLE,
    levels: tuple[int, ...] = (8, 6, 5),
) -> Built:
    """A few dimensions at each position, each rounded to its `levels`; no codebook to learn.

    Use it in place of a VQ-VAE where codes die: nearly all are used, and nothing needs weighing.
    """
    return quantised(spec, axes, positions, downsample, pick("fsq", levels=levels))


@recipe("lfq-vae", paper="2310.05737", year=2023, family=FAMILY)
def lfq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int | None = None,
    downsample: int = DOWNSAMPLE,
    bits: int = 9,
    entropy: float = 0.01,
    diversity: float = 1.0,
) -> Built:
    """The signs of `bits` dimensions at each position, and an entropy penalty that keeps all codes
    in use.

    Use it for large vocabularies of codes: there is no codebook to search. `entropy` weighs the
    mean penalty of a position against the mean squared error of an element, as the paper does; its
    0.1 fills the last codes, at the price of more error.
    """
    places = positions or POSITIONS
    if makes_maps(network_for(spec, axes, positions)) and len(spec.shape) == 3:
        places = math.prod(map_size(spec.shape[1:], downsample))
    # The distortion is half the squared error, summed over a datum's elements.
    weight = entropy * 0.5 * spec.size / places
    chosen = pick("lfq", bits=bits, entropy=weight, diversity=diversity)
    return quantised(spec, axes, positions, downsample, chosen)


def network_for(spec: DataSpec, axes: Axes, positions: int | None) -> str:
    """The network asked for; of feature maps where the choice is left and an image is large."""
    free = axes.network == "auto" and positions is None
    return "map" if free and is_large(spec.shape) else axes.network


def quantised(
    spec: DataSpec, axes: Axes, positions: int | None, downsample: int, posterior: Pick
) -> Built:
    """A quantiser under reconstruction alone, sampled by an autoregressive prior over its codes: a
    PixelCNN's over a grid, a transformer's over a sequence.
    """
    axes = replace(axes, network=network_for(spec, axes, positions))
    maps = makes_maps(axes.network)
    if maps and positions is not None:
        raise OptionError(
            f"The network {axes.network!r} has a code for each cell of its feature map, so "
            f"positions={positions} has no meaning: set downsample, or use network='conv'."
        )
    return assemble(
        spec,
        axes,
        Reconstruction(),
        posterior=posterior,
        prior=pick("pixelcnn" if maps else "autoregressive-codes"),
        preferred="gaussian",
        grid=(positions or POSITIONS,),
        downsample=downsample,
    )
