"""Networks of the critics, and the binary game that they play."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError

SLOPE = 0.2


def code_critic(latent_shape: Sequence[int], width: int, depth: int) -> nn.Sequential:
    """Codes (N, *Z) -> logits (N,): `depth` hidden layers of `width` leaky rectified units.

    Raises:
        OptionError: Width or depth cannot be built.
    """
    if width < 1 or depth < 0:
        raise OptionError(
            f"A critic of {depth} hidden layers of {width} units cannot be built: width must be at "
            "least 1 and depth at least 0."
        )
    layers: list[nn.Module] = [nn.Flatten()]
    narrow = math.prod(latent_shape)
    for _ in range(depth):
        layers += [nn.Linear(narrow, width), nn.LeakyReLU(SLOPE)]
        narrow = width
    return nn.Sequential(*layers, nn.Linear(narrow, 1), nn.Flatten(0))


def told_apart(real: Tensor, fake: Tensor) -> Tensor:
    """The cross-entropy in nats of calling both by their name, from logits (N,) and (M,)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def unconvincing(fake: Tensor) -> Tensor:
    """−log of the probability of being real, from logits: the generator's loss that does not fade.

    Reference:
        Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661.
    """
    return F.softplus(-fake)
