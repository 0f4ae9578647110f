"""Models on disk: config.json and model.safetensors, no pickle, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

# The axes register their parts on import, and a description is built from registered parts alone.
import isthmus.objectives  # noqa: F401
from isthmus.errors import IsthmusError, RunError
from isthmus.model import LatentModel
from isthmus.registry import build, describe
from isthmus.version import __version__
from isthmus.writing import write_bytes as write_bytes
from isthmus.writing import write_json as write_json

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def save(model: LatentModel, folder: str | os.PathLike[str], **record: Any) -> Path:
    """Write a model as `config.json` and `model.safetensors`.

    Args:
        model: Made of registered parts.
        folder: Made where it does not exist; other files in it stay.
        **record: Further JSON values for the config: recipe, options, data spec.

    Returns:
        The folder.

    Raises:
        OptionError: A part of the model is not registered, so that no description could rebuild it.
    """
    folder = Path(folder)
    config = {
        "format": FORMAT,
        "versions": {"isthmus": __version__, "torch": installed_version("torch")},
        "model": describe(model),
        **record,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, model.state_dict())
    write_json(folder / CONFIG, config)
    return folder


def load(folder: str | os.PathLike[str]) -> LatentModel:
    """Read a model that `save` wrote, in evaluation mode; nothing from the folder is executed.

    Raises:
        RunError: The folder, its config or its weights are missing, cut, or of another version.
    """
    folder = Path(folder)
    model = model_from_config(folder)
    load_weights(model, folder / WEIGHTS)
    return model.eval()


def model_from_config(folder: Path) -> LatentModel:
    """The untrained model that a folder's config describes.

    Raises:
        RunError: It describes none, or one that cannot be built.
    """
    description = read_config(folder).get("model")
    try:
        model = build(description)
    except IsthmusError as error:
        raise RunError(
            f"{folder / CONFIG} describes a model that cannot be built: {error}"
        ) from error
    if not isinstance(model, LatentModel):
        raise RunError(f"{folder / CONFIG} describes no model; save one with isthmus.save.")
    return model


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config, checked for its format.

    Raises:
        RunError: It is missing, cut, or written by a newer version.
    """
    path = folder / CONFIG
    if not folder.is_dir():
        raise RunError(
            f"There is no run folder {folder}; make one with `isthmus fit DATA -o {folder}`."
        )
    config = read_json(path)
    found = config.get("format")
    if found != FORMAT:
        raise RunError(
            f"{path} has the format {found!r} and this is isthmus {__version__}, which reads "
            f"format {FORMAT}: "
            "use the version that wrote it (see its 'versions'), or train again."
        )
    return config


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or a `RunError` in one line."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: {path.parent} is no finished run folder.") from error
    except (ValueError, OSError) as error:
        raise RunError(
            f"{path} cannot be read ({error}): restore it from a copy, or train again."
        ) from error
    if not isinstance(values, dict):
        raise RunError(
            f"{path} holds {type(values).__name__}, expected a JSON object: train again."
        )
    return values


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load a safetensors file into a model of exactly these tensors.

    Raises:
        RunError: The file is missing or cut, or tensors are missing, unknown or of another shape.
    """
    tensors, expected = read_tensors(path), model.state_dict()
    complaints = (
        ("lacks", sorted(expected.keys() - tensors.keys())),
        ("has the unknown", sorted(tensors.keys() - expected.keys())),
        (
            "has another shape for",
            [
                f"{name} {tuple(tensors[name].shape)} (expected {tuple(expected[name].shape)})"
                for name in sorted(expected.keys() & tensors.keys())
                if tensors[name].shape != expected[name].shape
            ],
        ),
    )
    for verb, names in complaints:
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise RunError(
                f"{path} {verb} tensor {', '.join(names[:3])}{more}: it does not belong to the "
                "config.json "
                "beside it; restore both from one copy, or train again."
            )
    model.load_state_dict(tensors)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or a `RunError` in one line."""
    try:
        return load_tensors(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: train again, or resume with --resume.") from error
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} is cut or no safetensors file ({error}): restore it, or train again."
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file atomically."""
    write_bytes(path, save_tensors({k: v.detach().cpu().contiguous() for k, v in tensors.items()}))
