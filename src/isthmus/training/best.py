"""The best weights so far, kept apart from those in training: in memory, and in the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import torch

from isthmus.model import LatentModel
from isthmus.store import WEIGHTS, load_weights, write_tensors


@final
class Best:
    """A copy of the model's weights at its best.

    Args:
        model: The model in training.
        folder: Where `model.safetensors` is kept up to date; None keeps it in memory alone.
    """

    def __init__(self, model: LatentModel, folder: Path | None) -> None:
        self._model = model
        self._folder = folder
        self._state = {name: t.detach().clone() for name, t in model.state_dict().items()}

    def keep(self) -> None:
        """What the model is now is the best so far."""
        with torch.no_grad():
            for name, t in self._model.state_dict().items():
                self._state[name].copy_(t)
        if self._folder is not None:
            write_tensors(self._folder / WEIGHTS, self._state)

    def reread(self, folder: Path) -> None:
        """Take the best of an earlier life of this run from its folder."""
        current = {name: t.clone() for name, t in self._model.state_dict().items()}
        load_weights(self._model, folder / WEIGHTS)
        for name, t in self._model.state_dict().items():
            self._state[name].copy_(t)
        self._model.load_state_dict(current)

    def restore(self) -> None:
        """Put the best weights into the model, and the model into evaluation mode."""
        self._model.load_state_dict(self._state)
        self._model.eval()

    @contextmanager
    def restored(self) -> Iterator[None]:
        """However the block ends, the model then has its best weights."""
        try:
            yield
        finally:
            self.restore()
