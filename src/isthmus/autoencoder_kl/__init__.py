"""The image autoencoder of latent diffusion: published weights and trained runs behind one face."""

from isthmus.autoencoder_kl.face import AutoencoderKL

__all__ = ["AutoencoderKL"]
