"""Networks: tensors in, tensors out."""

from isthmus.networks.backbones import BACKBONES, Sizes, is_large
from isthmus.networks.base import ACTIVATIONS, DECODERS, ENCODERS, Decoder, Encoder
from isthmus.networks.causal import CausalTransformer
from isthmus.networks.charts import StandardisedDecoder, TangentDecoder
from isthmus.networks.conditioned import ConditionedDecoder, ConditionedEncoder, LabelledDecoder
from isthmus.networks.conv import ConvDecoder, ConvEncoder
from isthmus.networks.dictionary import CentredEncoder, Dictionary
from isthmus.networks.inputs import LogEncoder
from isthmus.networks.kl import KLDecoder, KLEncoder
from isthmus.networks.leading import LeadingDecoder
from isthmus.networks.maps import MapDecoder, MapEncoder, map_size
from isthmus.networks.masked import MaskedEncoder
from isthmus.networks.mlp import MLPDecoder, MLPEncoder, ResidualDecoder, ResidualEncoder
from isthmus.networks.pixelcnn import PixelCNN

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
    "KLDecoder",
    "KLEncoder",
    "LabelledDecoder",
    "LeadingDecoder",
    "LogEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "MapDecoder",
    "MapEncoder",
    "MaskedEncoder",
    "PixelCNN",
    "ResidualDecoder",
    "ResidualEncoder",
    "Sizes",
    "StandardisedDecoder",
    "TangentDecoder",
    "is_large",
    "map_size",
]
