"""Encoder, posterior and decoder of an image autoencoder: made new, taken over, laid out anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.data.scaling import Scaling
from isthmus.errors import OptionError, UnsupportedError
from isthmus.likelihoods import LIKELIHOODS, Likelihood
from isthmus.model import LatentModel
from isthmus.networks.kl import KLDecoder, KLEncoder
from isthmus.networks.kl.half import half, rescaled
from isthmus.posteriors.spatial import SpatialGaussian
from isthmus.pretrained import KLConfig
from isthmus.priors import StandardNormal
from isthmus.registry import build, describe

# What encoder and decoder have in common in a published config.
_SHARED = ("channels", "layers", "groups", "attention")


class Parts(NamedTuple):
    """The three networks."""

    encoder: KLEncoder
    posterior: SpatialGaussian
    decoder: KLDecoder


def new_parts(config: KLConfig, size: Sequence[int]) -> Parts:
    """Untrained networks for images of one size; they run on any other."""
    grid = tuple(math.ceil(side / config.factor) for side in size)
    latent_shape = (config.latent_channels, *grid)
    common: dict[str, Any] = {
        "channels": config.block_out_channels,
        "layers": config.layers_per_block,
        "groups": config.norm_num_groups,
        "attention": config.mid_block_add_attention,
    }
    encoder = KLEncoder((config.in_channels, *size), config.latent_channels, **common)
    return Parts(
        encoder,
        SpatialGaussian(encoder.features, latent_shape, grid, config.use_quant_conv),
        KLDecoder(
            latent_shape,
            (1, config.out_channels, *size),
            post_quant=config.use_post_quant_conv,
            **common,
        ),
    )


def parts_of(model: LatentModel) -> tuple[Parts, KLConfig, tuple[str, ...]]:
    """The networks of a model, the config that they have, and lines on what to mind.

    Raises:
        UnsupportedError: The model is of other networks, or speaks other units than [-1, 1].
    """
    encoder, posterior, decoder = model.encoder, model.posterior, model.decoder
    if (
        not isinstance(encoder, KLEncoder)
        or not isinstance(posterior, SpatialGaussian)
        or not isinstance(decoder, KLDecoder)
    ):
        raise UnsupportedError(
            "AutoencoderKL is an encoder 'kl', a posterior 'spatial-gaussian' and a decoder 'kl', "
            f"and this model has {type(encoder).__name__}, {type(posterior).__name__} and "
            f"{type(decoder).__name__}: train one with the recipe 'autoencoder-kl', or use this "
            "model through isthmus.load."
        )
    if len(model.shape) != 3:
        raise UnsupportedError(
            f"AutoencoderKL is for images (C, H, W), and this model's data have the shape "
            f"{model.shape}: use it through isthmus.load."
        )
    _refuse_other_outputs(model.likelihood)
    notes = _units(model.scaling, model.shape)
    made, other = describe(encoder), describe(decoder)
    for name in _SHARED:
        if made[name] != other[name]:
            raise UnsupportedError(
                f"The encoder has {name} = {made[name]} and the decoder {other[name]}; a published "
                "AutoencoderKL has one for both: use this model through isthmus.load."
            )
    config = KLConfig(
        in_channels=model.shape[0],
        out_channels=model.shape[0],
        block_out_channels=made["channels"],
        layers_per_block=made["layers"],
        latent_channels=made["latent_channels"],
        norm_num_groups=made["groups"],
        sample_size=model.shape[1] if model.shape[1] == model.shape[2] else model.shape[1:],
        scaling_factor=1.0,
        use_quant_conv=posterior.quant_conv is not None,
        use_post_quant_conv=decoder.post_quant_conv is not None,
        mid_block_add_attention=made["attention"],
    )
    if posterior.scaling is not None:
        config = config.scaled_like(posterior.scaling)
    return Parts(encoder, posterior, decoder), config, notes


def half_parts(parts: Parts, dtype: torch.dtype, x: Tensor | None, z: Tensor | None) -> Parts:
    """Copies in half precision whose maps do not overflow.

    Args:
        parts: Theirs stay as they are.
        dtype: torch.float16 or torch.bfloat16.
        x: Images that the encoder's maps are measured on, or None.
        z: Latents that the decoder's maps are measured on, or None.
    """
    return Parts(
        half(parts.encoder, dtype, x),
        deepcopy(parts.posterior).to(dtype),
        half(parts.decoder, dtype, z),
    )


def published_state(parts: Parts) -> dict[str, Tensor]:
    """Tensors by this package's names, in the units that other libraries compute in.

    One that does not fit its own type in these units is float32.
    """
    named: zip[tuple[str, nn.Module]] = zip(Parts._fields, parts, strict=True)
    state = {}
    for part, module in named:
        own = module.state_dict()
        for name, tensor in _published(module).state_dict().items():
            stored = tensor.to(own[name].dtype)
            fits = bool(torch.isfinite(stored).all())
            state[f"{part}.{name}"] = stored if fits else tensor
    return state


def _published(module: nn.Module) -> nn.Module:
    """The same in published units: itself where it has them."""
    # Single precision on the way, in which a power of two rounds nothing.
    if isinstance(module, KLEncoder) and module.stream_scale != 1.0:
        return rescaled(deepcopy(module).float(), 1.0)
    if isinstance(module, KLDecoder) and module.stream_scale != 1.0:
        return rescaled(deepcopy(module).float(), 1.0)
    return module


def latent_model(
    parts: Parts, config: KLConfig, shape: Sequence[int], likelihood: str, **options: Any
) -> LatentModel:
    """A model for data of one shape in [0, 1] whose networks' modules are those of `parts`.

    Raises:
        OptionError: The shape has other channels, or the likelihood other outputs.
    """
    channels = {config.in_channels, config.out_channels}
    if len(shape) != 3 or {shape[0]} != channels:
        raise OptionError(
            f"These networks read {config.in_channels} channels and give {config.out_channels}; a "
            f"model of them needs one datum's shape (C, H, W) with as many, and got {tuple(shape)}."
        )
    laid_out = _laid_out(parts, shape, config)
    density: Likelihood = LIKELIHOODS.create(likelihood, shape=tuple(shape), **options)
    _refuse_other_outputs(density)
    device = next(parts.encoder.parameters()).device
    return LatentModel(
        laid_out.encoder,
        laid_out.posterior,
        StandardNormal(laid_out.posterior.latent_shape).to(device),
        laid_out.decoder,
        density.to(device),
        Scaling(shape, "symmetric").to(device),
    )


def _laid_out(parts: Parts, shape: Sequence[int], config: KLConfig) -> Parts:
    """Networks for data of this shape that hold the modules of `parts` itself, not copies."""
    grid = tuple(math.ceil(side / parts.encoder.factor) for side in shape[1:])
    latent_shape = (parts.encoder.features // 2, *grid)
    sizes: tuple[dict[str, Any], ...] = (
        {"shape": shape},
        {"latent_shape": latent_shape, "grid": grid, "scaling": config.scaling},
        {"latent_shape": latent_shape, "shape": (1, *shape)},
    )
    with torch.device("meta"):
        new = Parts(*(build({**describe(p), **s}) for p, s in zip(parts, sizes, strict=True)))
    pairs: tuple[tuple[nn.Module, nn.Module], ...] = tuple(zip(new, parts, strict=True))
    for laid_out, own in pairs:
        for name, child in own.named_children():
            setattr(laid_out, name, child)
        laid_out.train(own.training)
    # Training begins at the mean of the data where nothing was learned or loaded.
    new.decoder.fresh = parts.decoder.fresh
    return new


def _units(scaling: Scaling, shape: Sequence[int]) -> tuple[str, ...]:
    """Lines on the units of the model's data, which its networks see in [-1, 1]."""
    if not scaling.active:
        return ("the model's data are not scaled: images are taken in the units of its training",)
    low, high = (scaling(torch.full(tuple(shape), v, device=scaling.shift.device)) for v in (0, 1))
    if bool((low == -1.0).all()) and bool((high == 1.0).all()):
        return ()
    raise UnsupportedError(
        "AutoencoderKL's networks see images in [-1, 1], and this model's see them scaled in "
        "another way: train with scaling='symmetric', or use this model through isthmus.load."
    )


def _refuse_other_outputs(likelihood: Likelihood) -> None:
    """Refuse a likelihood whose mean is not what the decoder puts out."""
    shape = tuple(likelihood.parameter_shape())
    refusal = UnsupportedError(
        f"AutoencoderKL's decoder puts out the image itself, and {type(likelihood).__name__} "
        "makes one of its outputs: use the likelihood 'gaussian', 'gaussian-shared', "
        "'gaussian-optimal' or 'laplace'."
    )
    if shape[0] != 1:
        raise refusal
    device = next((t.device for t in likelihood.state_dict().values()), None)
    outputs = torch.linspace(-1.0, 1.0, math.prod(shape), device=device).reshape(1, 1, *shape)
    with torch.no_grad():
        if not torch.equal(likelihood(outputs).mean, outputs[:, :, 0]):
            raise refusal
