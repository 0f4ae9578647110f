"""LPIPS: the distance in a classifier's features, with weights learned from people's judgements."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.perceptual.base import PERCEPTUAL, Perceptual, in_colour, per_picture, unit_length
from isthmus.perceptual.trunks import TRUNKS, Trunk
from isthmus.perceptual.weights import FOLDER_VARIABLE, read_weights, weights_folder

# What pictures in [-1, 1] are shifted and divided by: ImageNet's statistics on that range.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TINY = 1e-10


@final
@PERCEPTUAL.register("lpips")
class LPIPS(Perceptual):
    """The sum over layers l of the mean over places of w_l · (f̂_l(x) − f̂_l(y))².

    f̂_l are the features of layer l at unit length over their channels, w_l one learned weight for
    each channel. Two files are read: `NET.safetensors` with torchvision's weights of the network
    (`features.0.weight`, ...), and `lpips-NET.safetensors` with the learned ones
    (`lin0.model.1.weight`, ...).

    Args:
        net: The feature network: vgg16, alexnet.
        folder: Where the two files lie; None takes the one that ISTHMUS_WEIGHTS names.

    Raises:
        OptionError: No folder is named.
        CheckpointError: A file or a tensor is missing, or is not what it should be.

    Reference:
        Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, arXiv
        1801.03924 (version 0.1 of its weights).
    """

    def __init__(self, net: str = "vgg16", folder: str | None = None) -> None:
        super().__init__()
        at = weights_folder(folder)
        if at is None:
            raise OptionError(
                f"The distance 'lpips' reads {net}.safetensors and lpips-{net}.safetensors from a "
                f"folder, and none is named: set {FOLDER_VARIABLE}, or take 'structural' or "
                "'random-features', which need no weights."
            )
        # Without memory: the weights come from the files, and no random number is drawn.
        with torch.device("meta"):
            trunk: Trunk = TRUNKS.create(net)
        shapes = {f"features.{key}": t.shape for key, t in trunk.layers.state_dict().items()}
        stored = read_weights(at, net, shapes)
        named = {key.removeprefix("features."): t.float() for key, t in stored.items()}
        trunk.layers.load_state_dict(named, assign=True)
        self.layers = trunk.layers.requires_grad_(False).eval()
        self.taps, self.smallest = trunk.taps, trunk.smallest

        keys = {f"lin{i}.model.1.weight": (1, w, 1, 1) for i, w in enumerate(trunk.widths)}
        learned = read_weights(at, f"lpips-{net}", keys)
        self.weights = nn.ParameterList(
            nn.Parameter(learned[key].float(), requires_grad=False) for key in keys
        )
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = torch.cat([in_colour(x), in_colour(y)])
        h = (h - self.get_buffer("shift")) / self.get_buffer("scale")
        parts, weights = [], iter(self.weights)
        for number, layer in enumerate(self.layers):
            h = layer(h)
            if number in self.taps:
                a, b = unit_length(h, TINY).chunk(2)
                weighted = (a - b).square() * cast(Tensor, next(weights))
                parts.append(weighted.sum(1).mean((1, 2)))
        return per_picture(torch.stack(parts).sum(0), len(x))
