"""The contracts of encoders and decoders, and the words that choose their layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from isthmus.registry import Part, Registry

ENCODERS = Registry("encoder")
DECODERS = Registry("decoder")
ACTIVATIONS = Registry("activation")

ACTIVATIONS.register("relu")(nn.ReLU)
ACTIVATIONS.register("leaky-relu")(nn.LeakyReLU)
ACTIVATIONS.register("tanh")(nn.Tanh)
ACTIVATIONS.register("silu")(nn.SiLU)
ACTIVATIONS.register("gelu")(nn.GELU)
ACTIVATIONS.register("elu")(nn.ELU)
ACTIVATIONS.register("softplus")(nn.Softplus)
ACTIVATIONS.register("sigmoid")(nn.Sigmoid)


class Encoder(Part, nn.Module, ABC):
    """x -> features.

    Attributes:
        features: H, the width of what comes out.
        grid: (h, w) where a feature map comes out; () for flat features.
        conditional: It reads the condition (B, C) beside x.
    """

    conditional: ClassVar[bool] = False

    features: int
    grid: tuple[int, ...] = ()

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """(B, *D) -> (B, H), or a feature map (B, H, h, w)."""


class Decoder(Part, nn.Module, ABC):
    """z -> the parameters of p(x|z).

    Attributes:
        conditional: It reads the condition (N, C) beside z.
        fresh: Its weights are the first ones: nothing has trained it, and nothing was loaded.
    """

    conditional: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.fresh = True
        self.register_load_state_dict_post_hook(_loaded)

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """(N, *Z) -> (N, *P), where P is what the likelihood asks for."""

    def last_layer(self) -> nn.Parameter:
        """The weight that makes the output: the last of two axes or more to be registered, as a
        decoder registers its layers in the order in which they run.
        """
        return next(p for p in reversed(list(self.parameters())) if p.dim() > 1)

    def last_bias(self) -> nn.Parameter | None:
        """The bias beside that weight: one for each output, or one for all positions of a map."""
        weight = self.last_layer()
        owner = next(m for m in self.modules() if any(p is weight for p in m.parameters(False)))
        bias = getattr(owner, "bias", None)
        return bias if isinstance(bias, nn.Parameter) else None


def _loaded(decoder: nn.Module, _: Any) -> None:
    """Remember that a decoder has got its weights from elsewhere."""
    decoder.fresh = False  # type: ignore[assignment]
