"""Quantised codes: the code is a few integers, and what it carries is counted in bits."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Reconstruction
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import Pick, pick

FAMILY = "quantised codes"
POSITIONS = 8


@recipe("vq-vae", paper="1711.00937", year=2017, family=FAMILY)
def vq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int = POSITIONS,
    n_codes: int = 512,
    commitment: float = 0.25,
    ema: bool = True,
    decay: float = 0.99,
    kmeans: bool = True,
    revive: float = 0.1,
    cosine: bool = False,
) -> Built:
    """A code of `positions` integers: at each, the nearest of `n_codes` learned vectors of width
    `latent_dim`.

    Use it to compress, or to hand data to a model of sequences: `encode(mode="argmax")` gives the
    integers, `decode` takes them, and an autoregressive prior over them is fitted after training.
    """
    codebook = {"ema": ema, "decay": decay, "kmeans": kmeans, "revive": revive, "cosine": cosine}
    return quantised(
        spec, axes, positions, pick("vq", n_codes=n_codes, commitment=commitment, **codebook)
    )


@recipe("rvq-vae", paper="2107.03312", year=2021, family=FAMILY)
def rvq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int = POSITIONS,
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
    return quantised(spec, axes, positions, pick("rvq", stages=stages, **options))


@recipe("fsq-vae", paper="2309.15505", year=2023, family=FAMILY)
def fsq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int = POSITIONS,
    levels: tuple[int, ...] = (8, 6, 5),
) -> Built:
    """A few dimensions at each position, each rounded to its `levels`; no codebook to learn.

    Use it in place of a VQ-VAE where codes die: nearly all are used, and nothing needs weighing.
    """
    return quantised(spec, axes, positions, pick("fsq", levels=levels))


@recipe("lfq-vae", paper="2310.05737", year=2023, family=FAMILY)
def lfq_vae(
    spec: DataSpec,
    axes: Axes,
    positions: int = POSITIONS,
    bits: int = 9,
    entropy: float = 0.1,
    diversity: float = 1.0,
) -> Built:
    """The signs of `bits` dimensions at each position, and an entropy penalty that keeps all codes
    in use.

    Use it for large vocabularies of codes: there is no codebook to search.
    """
    chosen = pick("lfq", bits=bits, entropy=entropy, diversity=diversity)
    return quantised(spec, axes, positions, chosen)


def quantised(spec: DataSpec, axes: Axes, positions: int, posterior: Pick) -> Built:
    """A quantiser under reconstruction alone, sampled by an autoregressive prior over its codes."""
    return assemble(
        spec,
        axes,
        Reconstruction(),
        posterior=posterior,
        prior=pick("autoregressive-codes"),
        preferred="gaussian",
        grid=(positions,),
    )
