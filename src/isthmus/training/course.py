"""The course of a training: step after step, and what is read, judged and saved between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from isthmus.data import Source
from isthmus.schedules import pacemaker
from isthmus.training.average import Average
from isthmus.training.best import Best
from isthmus.training.checkpoints import Checkpoint, Position
from isthmus.training.clock import Clock
from isthmus.training.densities import awaits_start, starter
from isthmus.training.devices import Processes
from isthmus.training.events import Audience
from isthmus.training.judging import Precision, check_weights, given, judge, rescue
from isthmus.training.meter import Meter
from isthmus.training.players import Player, Step, advance, backward
from isthmus.training.settings import TrainingSettings
from isthmus.training.signals import Interruption
from isthmus.training.threads import Pace


@final
@dataclass(frozen=True)
class Course:
    """What a training has to hand while it runs.

    Args:
        step: What is computed on a batch.
        compute: The same as it is computed: compiled, or across processes.
        players: Who moves by it.
        training: The data to learn from, on the device.
        validation: The data that judge, on the device.
        settings: How.
        position: Where the run stands; kept up to date.
        clock: When something is due.
        meter: The losses since the last reading.
        average: The running average of the weights, where there is one.
        best: The best weights.
        checkpoint: Where a resumed run begins.
        audience: Who hears of it.
        group: The processes that train together.
        precision: Of the steps.
        device: Where they are computed.
        folder: The run folder.
        interruption: Whether somebody wants it to stop.
    """

    step: Step
    compute: Callable[..., Any]
    players: list[Player]
    training: Source
    validation: Source
    settings: TrainingSettings
    position: Position
    clock: Clock
    meter: Meter
    average: Average
    best: Best
    checkpoint: Checkpoint
    audience: Audience
    group: Processes
    precision: Precision
    device: torch.device
    folder: Path | None
    interruption: Interruption

    def run(self) -> None:
        """Train until budget or patience are spent.

        Raises:
            TrainingError: A loss became NaN or infinite.
            KeyboardInterrupt: It was wanted, and the checkpoint is written.
        """
        clock, position = self.clock, self.position
        pace, tell = Pace(position), pacemaker(self.step)
        start = starter(self.step.model, self.training, self.settings.seed)
        for batch in self._batches():
            if clock.over:
                return
            tell(clock.progress, position.step)
            start(clock.progress)
            self._take(batch)
            read = clock.beats()
            if read:
                clock.tick()
                pace.judge()
                self._read()
            # Several processes can only stop together, where they all read.
            stop = (read or self.group.count == 1) and self.group.agree(self.interruption.wanted)
            if stop or clock.saves():
                self._save()
            if stop:
                raise KeyboardInterrupt
            if read:
                pace.restart()

    def _take(self, batch: tuple[Tensor, ...]) -> None:
        """One step of every player."""
        progress, position = self.clock.progress, self.position
        with self.precision():
            loss = self.compute(*batch)
        backward(self.players, loss, self.group)
        advance(self.players, progress, self.settings)
        self.meter.add(loss)
        position.step += 1
        position.batch += 1
        self.average.update(position.step)

    def _read(self) -> None:
        """Tell the losses since the last reading, and judge on held-out data where that is due."""
        means = self.meter.read(self.position.step, rescue(self.position, self.folder))
        self.audience.hear(self.clock.record("train", means))
        if not self.clock.evaluates():
            return
        with self.average.shown():
            size = self.settings.batch_size
            found = judge(
                self.step, self.validation, size, self.precision, self.position, self.folder
            )
            self.audience.hear(self.clock.record("validation", found))
            loss = self.group.agree(found["loss"])
            waits = awaits_start(self.step.model)
            if self.position.improved_by(loss, self.step.objective.comparable and not waits):
                self.best.keep()
            if waits:
                # Whatever comes once the prior has begun is better than this.
                self.position.best = math.inf

    def _save(self) -> None:
        """Write a checkpoint of what is known to be sound."""
        self.meter.check(self.position.step, rescue(self.position, self.folder))
        check_weights(self.step, self.position, self.folder)
        self.checkpoint.write(self.position)

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        """This process's batches from the position on, as many in an epoch as all others have."""
        source, settings, position, group = (
            self.training,
            self.settings,
            self.position,
            self.group,
        )
        per_epoch = settings.steps_per_epoch(len(source), group.count)
        while True:
            batches = source.epoch(
                settings.batch(len(source), group.count),
                seed=settings.seed,
                epoch=position.epoch,
                start=position.batch * group.count + group.rank,
                stride=group.count,
            )
            for batch in islice(batches, per_epoch - position.batch):
                x, *rest = given(batch.to(self.device))
                images = settings.channels_last and x.dim() == 4
                yield x.contiguous(memory_format=torch.channels_last) if images else x, *rest
            position.epoch += 1
            position.batch = 0
