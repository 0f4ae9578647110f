"""What the tools give a model: codes as flat rows, and data of its own shape."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.errors import DataError
from isthmus.model import LatentModel


def flat(model: LatentModel, codes: Tensor, what: str = "codes") -> Tensor:
    """Codes (B, *Z) as rows (B, n).

    Raises:
        DataError: They have another shape than the model's.
    """
    if codes.shape[1:] != torch.Size(model.latent_shape) or not codes.is_floating_point():
        kind = "" if codes.is_floating_point() else "integer "
        raise DataError(
            f"The {what} are {kind}codes of shape {tuple(codes.shape)} and this model's are "
            f"numbers of shape (N, {', '.join(map(str, model.latent_shape))}): give what `encode` "
            "returns."
        )
    return codes.flatten(1)


def check_data(model: LatentModel, x: Tensor) -> None:
    """Refuse data of another shape than the model's.

    Raises:
        DataError: With both shapes.
    """
    if tuple(x.shape[1:]) != model.shape:
        raise DataError(
            f"Data of shape {tuple(x.shape)} do not fit this model: expected (N, "
            f"{', '.join(map(str, model.shape))})."
        )
