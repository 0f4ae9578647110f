"""The image autoencoder of latent diffusion: residual blocks, one attention, a smaller map."""

from isthmus.networks.kl.decoder import KLDecoder
from isthmus.networks.kl.encoder import KLEncoder
from isthmus.networks.kl.half import half, rescaled, stream_peak
from isthmus.networks.kl.rows import bytes_of
from isthmus.networks.kl.strips import decode_strips, encode_strips

__all__ = [
    "KLDecoder",
    "KLEncoder",
    "bytes_of",
    "decode_strips",
    "encode_strips",
    "half",
    "rescaled",
    "stream_peak",
]
