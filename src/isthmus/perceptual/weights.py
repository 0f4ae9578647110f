"""Weights of published networks, read from safetensors files at hand; nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from isthmus.errors import CheckpointError

FOLDER_VARIABLE = "ISTHMUS_WEIGHTS"
PICKLES = (".pth", ".pt", ".bin", ".ckpt")


def weights_folder(folder: str | None = None) -> Path | None:
    """The folder of weights: the one given, else the one that ISTHMUS_WEIGHTS names, else None."""
    named = folder or os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else None


def find_weights(folder: Path, name: str) -> Path | None:
    """`NAME.safetensors` in a folder, or the first `NAME-….safetensors`; None where neither is."""
    exact = folder / f"{name}.safetensors"
    return (
        exact if exact.exists() else next(iter(sorted(folder.glob(f"{name}-*.safetensors"))), None)
    )


def read_weights(folder: Path, name: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The tensors of these names from `NAME.safetensors` in a folder; what else it holds stays.

    Args:
        folder: Where the file lies.
        name: Of the file, without its ending; what follows a hyphen, as in torchvision's names, is
            free.
        shapes: Tensor name -> its shape.

    Raises:
        CheckpointError: The file or a tensor is missing, or a tensor has another shape; a pickle is
            refused with the way to convert it.
    """
    path = find_weights(folder, name)
    if path is None:
        raise CheckpointError(_missing(folder, name))
    try:
        with safe_open(path, "pt") as file:
            held = set(file.keys())
            found = {key: file.get_tensor(key) for key in shapes if key in held}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({str(error).splitlines()[0]}).") from error
    if absent := [key for key in shapes if key not in found]:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise CheckpointError(f"{path} lacks the tensors {', '.join(absent[:3])}{more}.")
    for key, shape in shapes.items():
        if tuple(found[key].shape) != tuple(shape):
            raise CheckpointError(
                f"{path} holds {key} of shape {tuple(found[key].shape)}; expected {tuple(shape)}."
            )
    return found


def _missing(folder: Path, name: str) -> str:
    """What to do about a file that is not there."""
    stems = [p for ending in PICKLES for p in sorted(folder.glob(f"*{ending}"))]
    pickled = [p for p in stems if p.stem == name or p.stem.startswith(f"{name}-")]
    if not pickled:
        return (
            f"There is no {name}.safetensors in {folder}: put it there, or name another folder "
            f"({FOLDER_VARIABLE})."
        )
    return (
        f"{pickled[0]} is a pickle, which can run code and is never read here: convert it once, "
        "where you trust it, by safetensors.torch.save_file(torch.load("
        f"'{pickled[0].name}', weights_only=True), '{name}.safetensors')."
    )
