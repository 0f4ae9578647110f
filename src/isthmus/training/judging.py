"""What held-out data say of a model in training."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.data import Batch, Source
from isthmus.objectives import Loss
from isthmus.training.checkpoints import Position
from isthmus.training.codes import code_figures
from isthmus.training.devices import own_random_state
from isthmus.training.meter import broken, named_means
from isthmus.training.players import Step

# Held-out data are judged with the same noise every time: the bound moves with the model alone.
EVALUATION_SEED = 20_131

Precision = Callable[[], AbstractContextManager[Any]]


def judge(
    step: Step,
    source: Source,
    batch_size: int,
    precision: Precision,
    position: Position,
    folder: Path | None,
) -> dict[str, float]:
    """The objective and the figures of integer codes on held-out data.

    Raises:
        TrainingError: One of them is NaN or infinite.
    """
    found = evaluate(step, source, batch_size, precision)
    found |= code_figures(step.model, source, batch_size)
    for name, value in found.items():
        if not math.isfinite(value):
            raise broken(f"held-out {name}", value, position.step, rescue(position, folder))
    return found


@torch.no_grad()
def evaluate(step: Step, source: Source, batch_size: int, precision: Precision) -> dict[str, float]:
    """The objective on held-out data, in nats per datum, with the same noise every time."""
    device = next(step.parameters()).device
    totals: dict[str, Tensor] = {}
    count = 0
    learning = [module for module in step.modules() if module.training]
    step.eval()
    with own_random_state(device, EVALUATION_SEED):
        for batch in source.chunks(batch_size):
            with precision():
                loss: Loss = step(*given(batch.to(device)))
            for name, value in named_means(loss).items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value * len(batch)
            count += len(batch)
    for module in learning:
        module.training = True
    return {name: value.item() / count for name, value in totals.items()}


def given(batch: Batch) -> tuple[Tensor, ...]:
    """What a step reads of a batch: x, and the condition where there is one."""
    return (batch.x,) if batch.condition is None else (batch.x, batch.condition)


def check_weights(step: Step, position: Position, folder: Path | None) -> None:
    """No checkpoint is written from which a run could only go on to break.

    Raises:
        TrainingError: A weight is NaN or infinite.
    """
    finite = torch.stack([torch.isfinite(p).all() for p in step.parameters()]).all()
    if not bool(finite):
        raise broken("weights", math.nan, position.step, rescue(position, folder))


def rescue(position: Position, folder: Path | None) -> str:
    """What can be said of the best weights when a run breaks."""
    where = "in the model again" if folder is None else f"safe in {folder}"
    if position.best_step < 0:
        return f"No held-out bound had been measured; the weights of the start are {where}."
    return f"The best weights, of step {position.best_step}, are {where}."
