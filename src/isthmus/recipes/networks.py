"""The encoder and decoder of a recipe: the network asked for, and what its data wrap around it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from isthmus.errors import OptionError
from isthmus.networks import (
    BACKBONES,
    ConditionedDecoder,
    ConditionedEncoder,
    Decoder,
    Encoder,
    LabelledDecoder,
    LogEncoder,
    MaskedEncoder,
    Sizes,
)
from isthmus.networks.conditioned import conditioned_shape
from isthmus.registry import Pick

# What may read the condition, as a recipe says it.
ENCODER, DECODER, LABELLED_DECODER = "encoder", "decoder", "labelled decoder"


def makes_maps(network: str | Pick) -> bool:
    """Whether the network called so keeps height and width: its features and codes are maps."""
    return bool(BACKBONES[_picked(network).name].about.get("map"))


def _picked(network: str | Pick) -> Pick:
    return Pick(network) if isinstance(network, str) else network


def networks_for(
    network: str | Pick, sizes: Sizes, reads: Collection[str] = ()
) -> tuple[Encoder, Decoder]:
    """Encoder and decoder by the name of their kind.

    Args:
        network: As the option `network` calls it, or with options of its own.
        sizes: What they are built for; where data have gaps the encoder also reads where.
        reads: Which of "encoder" and "decoder" read the condition; a "labelled decoder" reads it in
            place of the label that its codes end in.

    Raises:
        OptionError: One reads a condition and the data have none, or the features are a map.
    """
    network = _picked(network)
    if reads and makes_maps(network):
        raise OptionError(
            f"The network {network.name!r} gives feature maps, which no condition is read beside: "
            "use network='conv'."
        )
    spec, width = sizes.spec, sizes.spec.condition_dim
    if spec.missing:
        sizes = replace(sizes, spec=replace(spec, shape=(2 * spec.shape[0], *spec.shape[1:])))
    if DECODER in reads:
        sizes = replace(sizes, latent_shape=conditioned_shape(sizes.latent_shape, width))
    encoder, decoder = BACKBONES.create(network.name, sizes=sizes, **network.options)
    encoder = INPUTS.get(spec.support, _as_it_is)(encoder)
    if spec.missing:
        encoder = MaskedEncoder(encoder)
    if ENCODER in reads:
        encoder = ConditionedEncoder(encoder, width, sizes.activation)
    if DECODER in reads:
        decoder = ConditionedDecoder(decoder, width)
    if LABELLED_DECODER in reads:
        decoder = LabelledDecoder(decoder, width)
    return encoder, decoder


def _as_it_is(encoder: Encoder) -> Encoder:
    return encoder


# A support whose values the encoder reads on another scale.
INPUTS: dict[str, Callable[[Encoder], Encoder]] = {"count": LogEncoder}
