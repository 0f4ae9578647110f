"""When a run reads its loss, evaluates, saves and ends."""

from __future__ import annotations

import time
from typing import Any, final

from isthmus.training.checkpoints import Position
from isthmus.training.devices import Processes
from isthmus.training.settings import TrainingSettings


@final
class Clock:
    """Progress by steps, or by the wall clock where the budget is in minutes.

    By steps, what happens when depends on the step's number alone, so that a resumed run does the
    same things as one that was never stopped. By minutes, the leading process's clock counts.

    Args:
        settings: The budget and the intervals.
        length: The number of training data.
        group: The processes that train together.
        position: Where the run stands; its `seconds` are kept up to date.
    """

    def __init__(
        self, settings: TrainingSettings, length: int, group: Processes, position: Position
    ) -> None:
        self._group = group
        self._position = position
        self._budget = None if settings.minutes is None else 60.0 * settings.minutes
        self._per_epoch = settings.steps_per_epoch(length, group.count)
        self.total_steps = settings.total_steps(length, group.count)
        wanted = max(1, self.total_steps // settings.evaluations)
        self.beat = min(settings.log_every, wanted)
        self._evaluate_every = self.beat * max(1, wanted // self.beat)
        self._evaluate_seconds = (self._budget or 0.0) / settings.evaluations
        self._save_seconds = settings.checkpoint_seconds
        self._patience = settings.patience
        self._born = time.monotonic() - position.seconds
        self._saved = self._evaluated = position.seconds

    @property
    def progress(self) -> float:
        """How far the run is, from 0 to 1."""
        if self._budget is None:
            return min(1.0, self._position.step / self.total_steps)
        return min(1.0, self._position.seconds / self._budget)

    @property
    def over(self) -> bool:
        """Whether budget or patience are spent, or the run was finished in an earlier life."""
        impatient = 0 < self._patience <= self._position.waited
        return self._position.finished or impatient or self.progress >= 1.0

    def beats(self) -> bool:
        """Whether the loss is read after this step: the first, the last, and some between."""
        if self._budget is not None and self._group.count == 1:
            # Slow steps must not overrun a budget in minutes by a whole interval.
            self.tick()
        step = self._position.step
        return step == 1 or step % self.beat == 0 or self.progress >= 1.0

    def tick(self) -> None:
        """Bring the seconds up to date, for all processes alike."""
        self._position.seconds = self._group.agree(time.monotonic() - self._born)

    def evaluates(self) -> bool:
        """Whether the held-out bound is measured now; at the end it always is."""
        if self.progress >= 1.0:
            return True
        if self._budget is None:
            return self._position.step % self._evaluate_every == 0
        due = self._position.seconds - self._evaluated >= self._evaluate_seconds
        if due:
            self._evaluated = self._position.seconds
        return due

    def saves(self) -> bool:
        """Whether a checkpoint is due."""
        due = self._position.seconds - self._saved >= self._save_seconds
        if due:
            self._saved = self._position.seconds
        return due

    def record(self, tag: str, values: dict[str, float]) -> dict[str, Any]:
        """A record for the listeners."""
        return {
            "step": self._position.step,
            "epoch": round(self._position.step / self._per_epoch, 3),
            "progress": round(self.progress, 6),
            "seconds": round(self._position.seconds, 3),
            **{f"{tag}/{name}": value for name, value in values.items()},
        }
