"""How alike two pictures look, by a network whose weights are at hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from isthmus.errors import UnsupportedError
from isthmus.evaluation.units import Floats, as_floats
from isthmus.perceptual import LPIPS, TRUNKS, weights_folder
from isthmus.perceptual.weights import FOLDER_VARIABLE, find_weights

# The network of most published figures first.
NETWORKS = ("vgg16", "alexnet")
# Pictures that pass through the network at once.
BATCH = 16
COLOURS = (1, 3)

Distance = Callable[[Floats, Floats], Floats]


def lpips_at_hand() -> tuple[str, Distance]:
    """The network of LPIPS whose weights are at hand, and the distance.

    Returns:
        Its name, and pictures (N, C, H, W) and (N, C, H, W) in [0, 1] -> (N,).

    Raises:
        UnsupportedError: No weights are at hand.
    """
    folder = weights_folder()
    for net in (n for n in NETWORKS if n in TRUNKS):
        if folder and find_weights(folder, net) and find_weights(folder, f"lpips-{net}"):
            return net, _of_arrays(LPIPS(net))
    net = NETWORKS[0]
    raise UnsupportedError(
        f"the weights of LPIPS are not at hand: set {FOLDER_VARIABLE} to a folder with "
        f"{net}.safetensors and lpips-{net}.safetensors"
    )


def _of_arrays(network: LPIPS) -> Distance:
    def distances(first: Floats, second: Floats) -> Floats:
        shape = first.shape[1:]
        if shape[0] not in COLOURS or min(shape[1:]) < network.smallest:
            raise UnsupportedError(
                f"LPIPS reads pictures of 1 or 3 channels from {network.smallest} pixels on, and "
                f"these are {' × '.join(map(str, shape))}"
            )
        # From [0, 1] to [-1, 1].
        a, b = (torch.from_numpy(np.asarray(x, np.float32) * 2 - 1) for x in (first, second))
        with torch.no_grad():
            pairs = zip(a.split(BATCH), b.split(BATCH), strict=True)
            return np.concatenate([as_floats(network(x, y)) for x, y in pairs])

    return distances
