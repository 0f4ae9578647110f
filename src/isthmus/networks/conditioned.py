"""Networks that read a condition beside their input: wrappers around any encoder or decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.errors import DataError, OptionError
from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder


def check_condition(condition: Tensor | None, width: int, reader: str) -> Tensor:
    """The condition (B, C), refused where there is none or it has another width.

    Raises:
        DataError: With what to give.
    """
    if condition is None:
        raise DataError(
            f"This model's {reader} is conditioned on {width} numbers and none were given: pass "
            "condition=, or load the data with the condition that they were trained with."
        )
    if condition.dim() != 2 or condition.shape[1] != width:
        raise DataError(
            f"The condition has shape {tuple(condition.shape)} and this model's {reader} reads "
            f"(N, {width}): code it as the training data's was."
        )
    return condition


def check_width(condition_dim: int, what: str) -> int:
    """The width of a condition, refused where data have none.

    Raises:
        OptionError: With how to give one.
    """
    if condition_dim < 1:
        raise OptionError(
            f"{what} needs data with a condition and these have none: load them with "
            "condition='label' or condition=COLUMNS (--condition), or take the recipe 'vae'."
        )
    return condition_dim


@final
@ENCODERS.register("conditioned")
class ConditionedEncoder(Encoder):
    """Another encoder, whose features h meet the condition in a residual block:
    h + W2 act(W1 [h, c]).

    Args:
        encoder: Of x alone.
        condition_dim: C.
        activation: Name of the activation between the layers.

    Reference:
        Sohn, Lee & Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, NeurIPS 2015.
    """

    conditional = True

    def __init__(self, encoder: Encoder, condition_dim: int, activation: str = "silu") -> None:
        super().__init__()
        self.encoder = encoder
        self.features = encoder.features
        self.width = check_width(condition_dim, "A conditioned encoder")
        self.layers = nn.Sequential(
            nn.Linear(encoder.features + condition_dim, encoder.features),
            ACTIVATIONS.create(activation),
            nn.Linear(encoder.features, encoder.features),
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        given = check_condition(condition, self.width, "encoder")
        h = self.encoder(x)
        result: Tensor = h + self.layers(torch.cat([h, given.to(h.dtype)], 1))
        return result


@final
@DECODERS.register("conditioned")
class ConditionedDecoder(Decoder):
    """Another decoder, made for codes of `latent_width(Z, C)`, that reads [z, c].

    Args:
        decoder: Of the code and the condition side by side.
        condition_dim: C.
    """

    conditional = True

    def __init__(self, decoder: Decoder, condition_dim: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.width = check_width(condition_dim, "A conditioned decoder")

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        given = check_condition(condition, self.width, "decoder")
        result: Tensor = self.decoder(torch.cat([z.flatten(1), given.to(z.dtype)], 1))
        return result


@final
@DECODERS.register("labelled")
class LabelledDecoder(Decoder):
    """Another decoder, of codes that end in a class as a one-hot vector [z, y]: a label that is
    given takes the place of the code's own.

    Args:
        decoder: Of [z, y].
        n_classes: The length of y.
    """

    conditional = True
    optional = True  # The code's own class does where none is given.

    def __init__(self, decoder: Decoder, n_classes: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.n_classes = n_classes

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        if condition is not None:
            given = check_condition(condition, self.n_classes, "decoder").to(z.dtype)
            rest, own = z.split([z.shape[1] - self.n_classes, self.n_classes], 1)
            z = torch.cat([rest, torch.where(given.sum(1, keepdim=True) > 0, given, own)], 1)
        result: Tensor = self.decoder(z)
        return result


def conditioned_shape(latent_shape: Sequence[int], condition_dim: int) -> tuple[int, ...]:
    """The codes that the decoder inside a `ConditionedDecoder` is made for: (Z + C,)."""
    return (torch.Size(latent_shape).numel() + condition_dim,)
