"""Published image autoencoders: diffusers' config, the layouts of their weights, the hub."""

from isthmus.pretrained.checkpoint import Checkpoint, write_checkpoint
from isthmus.pretrained.config import KLConfig
from isthmus.pretrained.hub import is_published

__all__ = ["Checkpoint", "KLConfig", "is_published", "write_checkpoint"]
