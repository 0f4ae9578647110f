"""A module that is asked in place of being trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def answering(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; training goes on afterwards as it was."""
    training = module.training
    if training:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            module.train()
