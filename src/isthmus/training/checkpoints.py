"""Everything the next step depends on, in one file: tensors, and JSON in its header."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from isthmus.errors import RunError
from isthmus.store import write_bytes
from isthmus.training.average import Average
from isthmus.training.devices import Processes, random_states, restore_random_states
from isthmus.training.meter import Meter
from isthmus.training.players import Player

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
        alone: Seconds of a step on one thread, where they were measured.
        finished: The run is complete.
        notes: What was handled when the run began, in words.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    best_step: int = -1
    waited: int = 0
    threads: int = 0
    alone: float = float("inf")
    finished: bool = False
    notes: tuple[str, ...] = ()

    def improved_by(self, loss: float, comparable: bool = True) -> bool:
        """Take note of a held-out loss; whether it is the best so far.

        Args:
            loss: In nats per datum.
            comparable: With those before it; else the latest is the best.
        """
        if loss < self.best or not comparable:
            self.best, self.best_step, self.waited = loss, self.step, 0
            return True
        self.waited += 1
        return False


@final
class Checkpoint:
    """`checkpoints/last.safetensors`: weights, their average, optimisers, random states, position.

    Args:
        folder: The run folder; None writes nothing.
        step: What is trained, with all its buffers.
        players: Their optimisers are kept.
        meter: The losses that have not been read yet.
        average: Of the model's weights.
        group: The processes that train together; the leading one writes, every one reads.
    """

    def __init__(
        self,
        folder: Path | None,
        step: nn.Module,
        players: list[Player],
        meter: Meter,
        average: Average,
        group: Processes,
    ) -> None:
        self._folder = folder
        self._step = step
        self._optimizers = [player.optimizer for player in players]
        self._meter = meter
        self._average = average
        self._group = group

    def write(self, position: Position) -> None:
        """Write it whole or not at all; every process of the group takes part."""
        if self._folder is None:
            return
        tensors = {f"step.{name}": t for name, t in full_state(self._step).items()}
        for i, optimizer in enumerate(self._optimizers):
            for index, values in optimizer.state_dict()["state"].items():
                for name, value in values.items():
                    tensors[f"optimizer.{i}.{index}.{name}"] = torch.as_tensor(value)
        tensors["meter"] = self._meter.unread()
        tensors |= self._average.state()
        tensors |= random_states(self._group)
        if not self._group.leads:
            return
        path = self._folder / LAST
        path.parent.mkdir(parents=True, exist_ok=True)
        content = save_tensors(
            {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()},
            metadata={"position": json.dumps(asdict(position))},
        )
        write_bytes(path, content)

    def read(self) -> Position:
        """Restore what `write` wrote, to the bit.

        Raises:
            RunError: The checkpoint is missing, cut, or of another model.
        """
        path = (self._folder or Path()) / LAST
        if not path.exists():
            raise RunError(
                f"{path} is missing, so this run cannot resume: train in another folder."
            )
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                position = Position(**json.loads(file.metadata()["position"]))
            position.notes = tuple(position.notes)
            self._restore(tensors)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"{path} is cut or belongs to another model ({reason}): restore it from a copy, or "
                "train in another folder."
            ) from error
        return position

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, t in full_state(self._step).items():
                stored = tensors[f"step.{name}"]
                if stored.shape != t.shape:
                    raise ValueError(f"{name} has the shape {tuple(stored.shape)}")
                t.copy_(stored)
        for i, optimizer in enumerate(self._optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            prefix = f"optimizer.{i}."
            for name, t in tensors.items():
                if name.startswith(prefix):
                    index, _, key = name.removeprefix(prefix).partition(".")
                    state.setdefault(int(index), {})[key] = t
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        self._meter.restore(tensors["meter"])
        self._average.restore(tensors)
        restore_random_states(tensors, self._group)


def is_finished(folder: Path) -> bool | None:
    """Whether the folder's run is complete; None where no checkpoint says so."""
    try:
        with safe_open(folder / LAST, "pt") as file:
            return bool(json.loads(file.metadata()["position"])["finished"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def full_state(step: nn.Module) -> dict[str, Tensor]:
    """Parameters and all buffers, those that a finished model does not need included."""
    return {**dict(step.named_parameters()), **dict(step.named_buffers())}
