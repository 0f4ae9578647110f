"""Networks: tensors in, tensors out."""

from isthmus.networks.backbones import BACKBONES, Sizes
from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder
from isthmus.networks.causal import CausalTransformer
from isthmus.networks.conditioned import ConditionedDecoder, ConditionedEncoder
from isthmus.networks.conv import ConvDecoder, ConvEncoder
from isthmus.networks.dictionary import CentredEncoder, Dictionary
from isthmus.networks.inputs import LogEncoder
from isthmus.networks.masked import MaskedEncoder
from isthmus.networks.mlp import MLPDecoder, MLPEncoder, ResidualDecoder, ResidualEncoder

__all__ = [
    "ACTIVATIONS",
    "BACKBONES",
    "DECODERS",
    "ENCODERS",
    "CausalTransformer",
    "CentredEncoder",
    "ConditionedDecoder",
    "ConditionedEncoder",
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Dictionary",
    "Encoder",
    "LogEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "MaskedEncoder",
    "ResidualDecoder",
    "ResidualEncoder",
    "Sizes",
]
