"""Spaces of features, by name, in which samples and data are held against each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import DataError, MissingDependencyError
from isthmus.evaluation.units import Floats, as_floats
from isthmus.optional import need
from isthmus.registry import Registry

FEATURES = Registry("feature space")
Features = Callable[[Floats], Floats]

INCEPTION_SIDE = 299
INCEPTION_FILE = "inception_v3_google-*.pth"
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32


@FEATURES.register("inception")
def inception() -> Features:
    """The 2,048 last features of torchvision's Inception v3 for pictures in [0, 1].

    The weights are read from torch's own folder of downloaded weights and never fetched. They are
    not those of the published FID, whose figures these cannot be compared with.

    Raises:
        MissingDependencyError: torchvision, or the file of weights, is not there.
    """
    try:
        models: Any = need("torchvision.models", "The feature space inception")
    except RuntimeError as error:
        # A torchvision built for another torch fails while it registers its operators.
        raise MissingDependencyError(
            f"The feature space inception needs a torchvision that fits torch {torch.__version__}: "
            f"{error}"
        ) from error
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(folder.glob(INCEPTION_FILE))
    if not found:
        raise MissingDependencyError(
            f"The feature space inception needs its weights, and there is no {INCEPTION_FILE} in "
            f"{folder}: put torchvision's file there."
        )
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = models.inception_v3(
            weights=None, init_weights=False, transform_input=False
        )
    network.load_state_dict(torch.load(found[0], map_location="cpu", weights_only=True))
    network.fc = nn.Identity()
    return _of_pictures(network.float().eval())


def _of_pictures(network: nn.Module) -> Features:
    def features(x: Floats) -> Floats:
        with torch.no_grad():
            parts = torch.from_numpy(np.asarray(x, dtype=np.float32)).split(BATCH)
            return np.concatenate([as_floats(network(_prepared(part))) for part in parts])

    features.__name__ = "inception"
    return features


def _prepared(x: Tensor) -> Tensor:
    """Pictures (N, C, H, W) in [0, 1] as the network was trained on."""
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.amin() < 0 or x.amax() > 1:
        raise DataError(
            f"The feature space inception reads pictures of 1 or 3 channels in [0, 1]; got data of "
            f"shape {tuple(x.shape[1:])} in [{float(x.amin()):g}, {float(x.amax()):g}]."
        )
    side = (INCEPTION_SIDE, INCEPTION_SIDE)
    large = F.interpolate(
        x.expand(-1, 3, -1, -1), side, mode="bilinear", antialias=True, align_corners=False
    )
    mean, spread = (torch.tensor(values, dtype=x.dtype)[:, None, None] for values in (MEAN, SPREAD))
    return (large - mean) / spread
