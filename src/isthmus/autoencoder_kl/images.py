"""What images and latents must be, and how many go through a network at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from isthmus.errors import DataError

# Pixels in one pass where no batch size is given: four images of 512 x 512.
PIXELS = 2**20

# Beyond resampling's overshoot nothing in [-1, 1] comes near it, and bytes do.
_FAR_OUT = 10.0


def check_images(x: Tensor, channels: int) -> None:
    """Refuse what is no batch (B, C, H, W) of images in [-1, 1].

    Raises:
        DataError: With what would do.
    """
    _refuse_other_kinds("Images", x)
    if x.dim() == 3 and x.shape[0] == channels:
        raise DataError(
            f"This is one image of shape {tuple(x.shape)}; expected a batch "
            f"(B, {channels}, H, W): x[None]."
        )
    if x.dim() != 4 or x.shape[1] != channels or min(x.shape[2:]) < 1:
        hint = ": x.permute(0, 3, 1, 2)" if x.dim() == 4 and x.shape[-1] == channels else ""
        raise DataError(
            f"Images of shape {tuple(x.shape)} do not fit this model; expected "
            f"(B, {channels}, H, W){hint}."
        )
    if not x.is_floating_point():
        raise DataError(
            f"Images of type {x.dtype} cannot be encoded; expected floating values in [-1, 1]: "
            "for bytes, x / 127.5 - 1."
        )
    if not x.numel():
        return
    # Of a NaN anywhere both ends are NaN: one pass, and no copy.
    low, high = (float(end) for end in torch.aminmax(x.detach()))
    far = max(-low, high)
    if not (math.isfinite(low) and math.isfinite(high)):
        _refuse_gaps("Images", x)
    if far > _FAR_OUT:
        raise DataError(
            f"Images have values as large as {far:.4g}; expected them in [-1, 1]: for 0 to 255, "
            "x / 127.5 - 1."
        )


def check_latents(z: Tensor, channels: int) -> None:
    """Refuse what is no batch (B, Z, h, w) of latents.

    Raises:
        DataError: With what would do.
    """
    _refuse_other_kinds("Latents", z)
    if z.dim() != 4 or z.shape[1] != channels or min(z.shape[2:]) < 1:
        hint = ": z[None]" if z.dim() == 3 and z.shape[0] == channels else ""
        raise DataError(
            f"Latents of shape {tuple(z.shape)} do not fit this model; expected "
            f"(B, {channels}, h, w){hint}."
        )
    if not z.is_floating_point():
        raise DataError(f"Latents of type {z.dtype} cannot be decoded; expected floating values.")
    if not bool(torch.isfinite(z).all()):
        _refuse_gaps("Latents", z)


def check_size(size: tuple[int, int], cells: tuple[int, ...], factor: int) -> None:
    """Refuse a size that latents of `cells` (h, w) were not made from.

    Raises:
        DataError: With the sizes that they may have been made from.
    """
    fits = len(size) == 2 and all(
        math.ceil(side / factor) == n for side, n in zip(size, cells, strict=True)
    )
    if not fits:
        spans = [f"{factor * (n - 1) + 1} to {factor * n}" for n in cells]
        raise DataError(
            f"Latents of {cells[0]} x {cells[1]} cells cannot be decoded to the size "
            f"{tuple(size)}: expected a height of {spans[0]} and a width of {spans[1]}."
        )


def slices(x: Tensor, batch_size: int | None, pixels: int) -> Iterator[Tensor]:
    """Parts of x, in order.

    Args:
        x: (B, ...).
        batch_size: Images in one part; None takes as many as have some 2^20 pixels together.
        pixels: In one image.

    Raises:
        DataError: The batch size is not positive.
    """
    if batch_size is None:
        batch_size = max(1, PIXELS // max(1, pixels))
    if batch_size < 1:
        raise DataError(f"batch_size is a number of images, 1 or more; got {batch_size}.")
    # One empty part in place of none: what comes out then has its shape.
    yield from x.split(batch_size)


def _refuse_other_kinds(what: str, x: object) -> None:
    if not isinstance(x, Tensor):
        raise DataError(
            f"{what} are a {type(x).__name__}; expected a torch.Tensor: torch.as_tensor(x)."
        )


def _refuse_gaps(what: str, x: Tensor) -> None:
    place = torch.nonzero(~torch.isfinite(x))[0].tolist()
    value = float(x[tuple(place)])
    raise DataError(
        f"{what} have the value {value} at {tuple(place)} (batch, channel, row, column): fill or "
        "remove it."
    )
