"""Perceptual distances: how different two pictures look, as a loss or as a measure."""

from isthmus.perceptual.base import PERCEPTUAL, Perceptual
from isthmus.perceptual.choice import choose_perceptual, stand_in
from isthmus.perceptual.lpips import LPIPS
from isthmus.perceptual.random_features import RandomFeatures
from isthmus.perceptual.structural import Structural
from isthmus.perceptual.trunks import TRUNKS
from isthmus.perceptual.weights import weights_folder

__all__ = [
    "LPIPS",
    "PERCEPTUAL",
    "TRUNKS",
    "Perceptual",
    "RandomFeatures",
    "Structural",
    "choose_perceptual",
    "stand_in",
    "weights_folder",
]
