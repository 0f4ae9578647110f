"""A module that is asked in place of being trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def answering(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; training goes on afterwards as it was."""
    # Some of its parts may rest in evaluation mode while the others are trained.
    training = [part for part in module.modules() if part.training] if module.training else []
    if training:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True
