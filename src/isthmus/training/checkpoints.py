"""Everything the next step depends on, in one file: tensors, and the plain values as JSON in its header."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.optim import Optimizer

from isthmus.errors import RunError
from isthmus.store import write_bytes

LAST = Path("checkpoints") / "last.safetensors"


@final
@dataclass
class Position:
    """Where a run stands.

    Args:
        step: Optimiser steps taken.
        epoch: The epoch under way.
        batch: The next batch of its order.
        seconds: Wall-clock time spent so far, over all of the run's lives.
        best: The best held-out loss so far, in nats per datum.
        best_step: The step of the best.
        waited: Evaluations since then.
        threads: CPU threads, which a resumed run keeps: another count would round sums otherwise.
        finished: The run is complete.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    best_step: int = -1
    waited: int = 0
    threads: int = 0
    finished: bool = False

    def improved_by(self, loss: float) -> bool:
        """Take note of a held-out loss; whether it is the best so far."""
        if loss < self.best:
            self.best, self.best_step, self.waited = loss, self.step, 0
            return True
        self.waited += 1
        return False


def write_checkpoint(
    folder: Path, step: nn.Module, optimizers: list[Optimizer], position: Position
) -> None:
    """Write `checkpoints/last.safetensors` atomically."""
    tensors = {f"step.{name}": t for name, t in full_state(step).items()}
    plain: dict[str, Any] = {}
    for i, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                tensors[f"optimizer.{i}.{index}.{name}"] = torch.as_tensor(value)
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    plain["position"] = asdict(position)
    path = folder / LAST
    path.parent.mkdir(parents=True, exist_ok=True)
    content = save_tensors(
        {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
        metadata={"state": json.dumps(plain)},
    )
    write_bytes(path, content)


def read_checkpoint(
    folder: Path, step: nn.Module, optimizers: list[Optimizer], rank: int = 0
) -> Position:
    """Restore what `write_checkpoint` wrote, to the bit.

    The leading process's random state is what was written; another process draws anew from its rank and step.

    Raises:
        RunError: The checkpoint is missing, cut, or of another model.
    """
    path = folder / LAST
    if not path.exists():
        raise RunError(f"{path} is missing, so this run cannot resume: start it again without --resume.")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            position = Position(**json.loads(file.metadata()["state"])["position"])
        _restore(step, optimizers, tensors)
        if rank:
            torch.manual_seed(position.step + rank)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"{path} is cut or belongs to another model ({reason}): use the same command as before, or start "
            "again without --resume."
        ) from error
    return position


def full_state(step: nn.Module) -> dict[str, Tensor]:
    """Parameters and all buffers, those that a finished model does not need included."""
    return {**dict(step.named_parameters()), **dict(step.named_buffers())}


def _restore(step: nn.Module, optimizers: list[Optimizer], tensors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, t in full_state(step).items():
            t.copy_(tensors[f"step.{name}"])
    for i, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        prefix = f"optimizer.{i}."
        for name, t in tensors.items():
            if name.startswith(prefix):
                index, _, key = name.removeprefix(prefix).partition(".")
                state.setdefault(int(index), {})[key] = t
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
