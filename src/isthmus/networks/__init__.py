"""Networks: tensors in, tensors out."""

from isthmus.networks.backbones import BACKBONES, Sizes
from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder
from isthmus.networks.conv import ConvDecoder, ConvEncoder
from isthmus.networks.inputs import LogEncoder
from isthmus.networks.mlp import MLPDecoder, MLPEncoder, ResidualDecoder, ResidualEncoder

__all__ = [
    "ACTIVATIONS",
    "BACKBONES",
    "DECODERS",
    "ENCODERS",
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Encoder",
    "LogEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "ResidualDecoder",
    "ResidualEncoder",
    "Sizes",
]
