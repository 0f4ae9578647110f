"""Autoencoders of images: the first stage of latent diffusion, in its published sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.networks import map_size
from isthmus.objectives import Elbo
from isthmus.perceptual import choose_perceptual
from isthmus.pretrained import Checkpoint
from isthmus.recipes.base import STANDARD_NORMAL, Axes, Built, assemble, recipe
from isthmus.recipes.networks import makes_maps
from isthmus.registry import Pick, Registry, pick

FAMILY = "images"
SIZES = Registry("size")

# Absolute errors of pixels in [-1, 1] on a fixed scale, as published; `likelihood` takes others.
PUBLISHED = pick("laplace", scale=1.0, learned=False)
TRAINING = {"lr": 1e-3, "clip": 1.0}
# Axes of a datum of which the network makes a map: sequences, images and volumes, with channels.
IMAGES, MAPS = (3,), (2, 3, 4)
# The width of the code is that of the size, unless it is asked for.
OF_THE_SIZE = {"latent_dim": 0}
OF_IMAGES: dict[str, Any] = {
    "family": FAMILY,
    "kinds": ("image",),
    "training": TRAINING,
    "axes": OF_THE_SIZE,
}


@final
@dataclass(frozen=True)
class Size:
    """A published size of network.

    Args:
        channels: Widths of the stages, each half as large as the one before.
        layers: Residual blocks in a stage.
        latent: Channels of the code.
    """

    channels: tuple[int, ...]
    layers: int = 2
    latent: int = 4


SIZES.register("tiny")(partial(Size, (32, 64, 64), layers=1))
SIZES.register("f4")(partial(Size, (128, 256, 512), latent=3))
SIZES.register("f8")(partial(Size, (128, 256, 512, 512)))
SIZES.register("f16")(partial(Size, (128, 128, 256, 256, 512), latent=16))
SIZES.register("sd")(partial(Size, (128, 256, 512, 512)))


@recipe("autoencoder-kl", paper="2112.10752", year=2021, **OF_IMAGES)
def autoencoder_kl(
    spec: DataSpec,
    axes: Axes,
    size: str = "tiny",
    channels: tuple[int, ...] = (),
    layers: int = 0,
    groups: int | None = None,
    attention: bool = True,
    checkpointing: bool = False,
    kl_weight: float = 1e-6,
    pretrained: str | None = None,
) -> Built:
    """The autoencoder of latent diffusion: a Gaussian code in every cell of a small map, hardly
    priced.

    Use it to make latents for a generative model, or to train on from Stable Diffusion's own
    weights (`pretrained`, a folder or a name on the hub, whose scaling of the latents is kept;
    the training setting `train=decoder` moves the decoder alone). `size` is tiny, f4, f8, f16 or
    sd; `channels` (a width for each stage), `layers`, `groups` and `latent_dim` change it where
    they are given. `checkpointing` saves memory for a third more time. `kl-gan` adds what makes
    its pictures sharp.
    """
    inner = {"groups": groups, "attention": attention, "checkpointing": checkpointing}
    plan = _plan(spec, axes, size, channels, layers, inner, pretrained, MAPS)
    return _gaussian(spec, plan, Elbo(kl_weight))


@recipe("kl-gan", paper="2112.10752", year=2021, **OF_IMAGES)
def kl_gan(
    spec: DataSpec,
    axes: Axes,
    size: str = "tiny",
    channels: tuple[int, ...] = (),
    layers: int = 0,
    groups: int | None = None,
    attention: bool = True,
    checkpointing: bool = False,
    kl_weight: float = 1e-6,
    perceptual: float = 1.0,
    distance: str = "auto",
    weights: str | None = None,
    adversarial: float = 0.5,
    start: float = 0.3,
    width: int = 32,
    critic_lr: float = 1e-4,
    pretrained: str | None = None,
) -> Built:
    """As autoencoder-kl, with a perceptual term and a critic of patches that comes in at `start`.

    Use it where pictures must look sharp rather than be right pixel by pixel. `perceptual` and
    `adversarial` weigh the two terms, and 0 leaves one out. `distance` is lpips, whose weights are
    read from the folder `weights`, or structural or random-features, which need none; auto takes
    lpips where its weights are at hand. `start` is a share of training, or a number of steps from 2
    on; `width` is the critic's. The network's options are those of autoencoder-kl.
    """
    inner = {"groups": groups, "attention": attention, "checkpointing": checkpointing}
    plan = _plan(spec, axes, size, channels, layers, inner, pretrained)
    critic = {"adversarial": adversarial, "start": start, "width": width, "lr": critic_lr}
    objective, notes = _looks(distance, weights, perceptual, kl_weight=kl_weight, **critic)
    built = _gaussian(spec, plan, objective)
    return replace(built, notes=(*built.notes, *notes))


@recipe("vq-gan", paper="2012.09841", year=2021, **OF_IMAGES)
def vq_gan(
    spec: DataSpec,
    axes: Axes,
    size: str = "tiny",
    channels: tuple[int, ...] = (),
    layers: int = 0,
    groups: int | None = None,
    attention: bool = True,
    checkpointing: bool = False,
    n_codes: int = 1024,
    commitment: float = 0.25,
    perceptual: float = 1.0,
    distance: str = "auto",
    weights: str | None = None,
    adversarial: float = 0.5,
    start: float = 0.3,
    width: int = 32,
    critic_lr: float = 1e-4,
) -> Built:
    """As kl-gan, with the nearest of `n_codes` learned vectors in every cell of the map.

    Use it to hand pictures to a model of sequences, or to count what they cost in bits. A PixelCNN
    over the integers is fitted after training. `commitment` weighs the mean error of an element of
    the code against that of an element of the picture.
    """
    inner = {"groups": groups, "attention": attention, "checkpointing": checkpointing}
    plan = _plan(spec, axes, size, channels, layers, inner, None)
    critic = {"adversarial": adversarial, "start": start, "width": width, "lr": critic_lr}
    objective, notes = _looks(distance, weights, perceptual, **critic)
    maps = makes_maps(plan.network)
    cells = math.prod(map_size(spec.shape[1:], plan.downsample)) if maps else 1
    # Both errors are summed: over the picture, and over a code `shrunk` times smaller.
    shrunk = spec.size / (cells * plan.axes.latent_dim)
    chosen = pick("vq", n_codes=n_codes, commitment=commitment * shrunk)
    prior = pick("pixelcnn" if maps else "autoregressive-codes")
    built = _assembled(spec, plan, objective, chosen, prior)
    return replace(built, notes=(*built.notes, *notes))


@final
@dataclass(frozen=True)
class _Plan:
    """What a recipe's options come to.

    Args:
        axes: With the width of the code.
        network: With its options.
        downsample: How many times smaller than the picture its map is.
        quant: Whether 1 × 1 convolutions stand before and behind the code.
        checkpoint: Whose weights the model starts from.
    """

    axes: Axes
    network: Pick
    downsample: int
    quant: bool = True
    checkpoint: Checkpoint | None = None


def _plan(
    spec: DataSpec,
    axes: Axes,
    size: str,
    channels: tuple[int, ...],
    layers: int,
    inner: dict[str, Any],
    pretrained: str | None,
    axes_of_data: tuple[int, ...] = IMAGES,
) -> _Plan:
    """The sizes by name, each of which an option, or a checkpoint's config, overrides.

    Raises:
        OptionError: The data are no images, or the weights are of another network.
    """
    if len(spec.shape) not in axes_of_data:
        others = "" if axes_of_data == MAPS else ", or 'autoencoder-kl' for sequences and volumes"
        raise OptionError(
            f"This recipe is for images (channels, height, width), and one datum here has the "
            f"shape {spec.shape}: take the recipe 'vae'{others}."
        )
    named: Size = SIZES.create(size)
    found = None if pretrained is None else Checkpoint.find(pretrained)
    quant = True
    if found is not None:
        config = found.config
        asked = {"channels": tuple(channels), "layers": layers, "latent_dim": axes.latent_dim}
        _refuse_others(spec, found, {**asked, "groups": inner["groups"]})
        named = Size(config.block_out_channels, config.layers_per_block, config.latent_channels)
        inner |= {
            "groups": config.norm_num_groups,
            "attention": config.mid_block_add_attention,
            "post_quant": config.use_post_quant_conv,
        }
        quant = config.use_quant_conv
    widths = tuple(channels) or named.channels
    axes = replace(axes, latent_dim=axes.latent_dim or named.latent)
    downsample = 2 ** (len(widths) - 1)
    if axes.network not in ("auto", "kl"):
        if found is not None:
            raise OptionError(
                f"These weights are of the network 'kl', and network={axes.network!r} was asked "
                "for: leave it out."
            )
        return _Plan(axes, Pick(axes.network), downsample)
    # The common widths, where they are given, are those of the first stages.
    widths = widths if channels or found else axes.hidden or widths
    network = pick("kl", channels=widths, layers=layers or named.layers, **inner)
    return _Plan(axes, network, downsample, quant, found)


def _refuse_others(spec: DataSpec, found: Checkpoint, asked: dict[str, Any]) -> None:
    """Refuse sizes and data that are not those of the weights that training begins from.

    Raises:
        OptionError: With what the weights are of.
    """
    config = found.config
    own = {
        "channels": config.block_out_channels,
        "layers": config.layers_per_block,
        "latent_dim": config.latent_channels,
        "groups": config.norm_num_groups,
    }
    for name, value in asked.items():
        if value and value != own[name]:
            raise OptionError(
                f"The weights in {found.place} have {name}={own[name]}, and {name}={value} was "
                "asked for: leave it out."
            )
    if {config.in_channels, config.out_channels} != {spec.shape[0]}:
        kind = "grey" if config.in_channels == 1 else "colour"
        raise OptionError(
            f"The weights in {found.place} are for images of {config.in_channels} channels, and "
            f"these have {spec.shape[0]}: read {kind} pictures, or begin without pretrained."
        )


def _looks(
    distance: str, weights: str | None, perceptual: float, **options: Any
) -> tuple[Pick, tuple[str, ...]]:
    """The objective, and what is to be said of its perceptual distance."""
    made, notes = choose_perceptual(distance, weights)
    objective = pick("kl-gan", perceptual=perceptual, distance=made, **options)
    return objective, notes if perceptual else ()


def _gaussian(spec: DataSpec, plan: _Plan, objective: Elbo | Pick) -> Built:
    """A Gaussian code: of the moments that a network of maps gives, or of any features."""
    began = None if plan.checkpoint is None else plan.checkpoint.config.scaling
    spatial = pick("spatial-gaussian", quant=plan.quant, scaling=began)
    posterior = spatial if plan.network.name == "kl" else pick("diagonal")
    built = _assembled(spec, plan, objective, posterior)
    if plan.checkpoint is not None:
        own = built.model.state_dict()
        parts = ("encoder.", "posterior.", "decoder.")
        shapes = {n: tuple(t.shape) for n, t in own.items() if n.startswith(parts)}
        built.model.load_state_dict(plan.checkpoint.read(shapes), strict=False)
        return replace(built, notes=(*built.notes, *plan.checkpoint.notes))
    return built


def _assembled(
    spec: DataSpec,
    plan: _Plan,
    objective: Elbo | Pick,
    posterior: Pick,
    prior: Pick = STANDARD_NORMAL,
) -> Built:
    return assemble(
        spec,
        plan.axes,
        objective,
        posterior=posterior,
        prior=prior,
        preferred=PUBLISHED,
        network=plan.network,
        downsample=plan.downsample,
        scaling="symmetric",
    )
