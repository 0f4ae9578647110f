"""A whole checkpoint: config and weights, read under this package's names and written back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

from torch import Tensor

from isthmus.errors import CheckpointError
from isthmus.pretrained.config import CONFIG, KLConfig, read_config
from isthmus.pretrained.files import Weights, compare_tensors, write_weights
from isthmus.pretrained.hub import locate
from isthmus.pretrained.keys import (
    infer_config,
    left_out,
    modern_name,
    modern_shape,
    own_name,
    stored_names,
)
from isthmus.writing import write_json

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Checkpoint:
    """A config, and the weights beside it, not yet read.

    Args:
        place: The file or folder.
        config: What the weights are of.
        shapes: Of the tensors by this package's names.
        notes: What was handled on the way, one line each.
        stored: This package's name -> the name in the file.
        weights: The files.
    """

    place: Path
    config: KLConfig
    shapes: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]
    stored: Mapping[str, str]
    weights: Weights

    @classmethod
    def find(
        cls,
        place: str | os.PathLike[str],
        config: KLConfig | None = None,
        variant: str | None = None,
        **where: Any,
    ) -> Checkpoint:
        """The checkpoint at a place.

        Args:
            place: A folder, a weights file, or a name on the hub.
            config: In place of the one that lies there.
            variant: Of the weights, such as "fp16".
            **where: `subfolder`, `revision` and `local_files_only`, as `locate` takes them.

        Raises:
            CheckpointError: There is none, or it is of something else.
        """
        path = locate(place, variant=variant, **where)
        if config is None and path.is_dir():
            config = read_config(path / CONFIG)
        weights = Weights.of(path, variant)
        modern = stored_names(weights.shapes)
        shapes = {n: modern_shape(n, weights.shapes[stored]) for n, stored in modern.items()}
        notes = left_out(weights.shapes, modern)
        if config is None:
            config, told = _config_of_file(path.parent / CONFIG, shapes)
            notes += told
        return cls(
            path,
            config,
            {own_name(n): shape for n, shape in shapes.items()},
            config.notes + notes,
            {own_name(n): stored for n, stored in modern.items()},
            weights,
        )

    def read(self, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        """The tensors by this package's names.

        Args:
            expected: Names and shapes of the model that is to hold them.

        Raises:
            CheckpointError: Some are missing, unknown or of another shape.
        """
        compare_tensors(_modern(self.shapes), _modern(expected), self.place)
        found = self.weights.read(self.stored.values())
        return {n: found[stored].reshape(self.shapes[n]) for n, stored in self.stored.items()}


def write_checkpoint(
    folder: str | os.PathLike[str],
    config: KLConfig,
    tensors: Mapping[str, Tensor],
    variant: str | None = None,
    max_shard_size: int | str | None = None,
) -> Path:
    """Write config.json and safetensors weights, each file whole or not at all.

    Args:
        folder: Made where it does not exist; other files in it stay.
        config: Of the model.
        tensors: By this package's names; what is neither encoder nor decoder is left out.
        variant: The word in the weights' name, such as "fp16".
        max_shard_size: In bytes, or such as "5GB"; None writes one file.

    Returns:
        The folder.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file, and a checkpoint needs a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder, _modern(tensors), variant, max_shard_size)
    write_json(folder / CONFIG, config.to_json())
    return folder


def _modern(own: Mapping[str, T]) -> dict[str, T]:
    """What goes by this package's names, by diffusers'."""
    return {modern: v for name, v in own.items() if (modern := modern_name(name)) is not None}


def _config_of_file(
    beside: Path, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[KLConfig, tuple[str, ...]]:
    """The config in the folder of a weights file where it is one's, else what the shapes tell."""
    if beside.is_file():
        try:
            return read_config(beside), ()
        except CheckpointError:
            # Any program may have a config.json among its downloads.
            pass
    return infer_config(shapes)
