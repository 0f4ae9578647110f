"""The training loop: the one that trains every model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, final

import torch
from torch import nn

from isthmus.data import Source, place, shuffled
from isthmus.model import LatentModel
from isthmus.objectives import Objective
from isthmus.training.average import Average
from isthmus.training.best import Best
from isthmus.training.checkpoints import Checkpoint, Position
from isthmus.training.clock import Clock
from isthmus.training.course import Course
from isthmus.training.densities import fit_waiting
from isthmus.training.devices import (
    autocast,
    choose_device,
    distributed,
    own_random_state,
    processes,
)
from isthmus.training.events import Audience, Listener, Record
from isthmus.training.judging import EVALUATION_SEED, Precision, evaluate, given
from isthmus.training.meter import Meter
from isthmus.training.parts import held, learn, told
from isthmus.training.players import Step, players_of, sharing
from isthmus.training.settings import TrainingSettings
from isthmus.training.signals import Interruption
from isthmus.training.start import look
from isthmus.training.threads import Choice, choose_threads, threads

__all__ = ["Trained", "evaluate", "train"]


@final
@dataclass
class Trained:
    """What a run ended with.

    Args:
        model: With the best weights, in evaluation mode.
        position: Where the run stands.
        history: The records of this life of the run.
        notes: What was handled on the way, in words.
    """

    model: LatentModel
    position: Position
    history: list[Record] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def train(
    model: LatentModel,
    objective: Objective,
    training: Source,
    validation: Source,
    settings: TrainingSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
    say: Callable[[str], None] | None = None,
) -> Trained:
    """Train a model, keeping the weights with the best held-out loss.

    Args:
        model: Trained in place.
        objective: What is minimised.
        training: The data to learn from.
        validation: The data that decide which weights are best and when to stop.
        settings: How.
        folder: The run folder; nothing is written where it is None.
        resume: Go on from the folder's checkpoint.
        listeners: Who hears of the progress.
        say: Hears what is handled on the way, and what takes its time after the last step.

    Returns:
        The model with its best weights.

    Raises:
        TrainingError: A loss became NaN or infinite.
        RunError: The checkpoint to resume from is missing or cut.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run folder can be resumed.
    """
    device = choose_device(settings.device)
    with (
        processes(device) as group,
        own_random_state(device, settings.seed + group.rank),
        held(model, settings.train) as resting,
        Interruption() as interruption,
    ):
        say = say if group.leads and say else _silence
        step = laid_out(Step(model, objective).to(device), settings)
        players = players_of(step, settings)
        meter, average = Meter(group), Average(model, settings.ema)
        checkpoint = Checkpoint(folder, step, players, meter, average, group)
        writes = folder if group.leads else None
        best = Best(model, writes)
        if group.agree(resume) and folder is not None:
            position = checkpoint.read()
            best.reread(folder)
        else:
            notes = (*look(model, objective, training, resting), *told(model, settings.train))
            position = Position(notes=notes)
            best.keep()
        for text in position.notes:
            say(text)
        precision = autocast(settings, device)
        training = place(training, device)
        validation = place(_as_judged(validation, objective), device)
        if not position.threads:
            position.threads, position.alone = _threads(step, training, settings, device, precision)
        heard: list[Record] = []
        files = (writes, position.step, settings.tensorboard)

        with (
            threads(position.threads),
            distributed(compiled(step, settings, device), group, len(players)) as compute,
            sharing(objective, group),
            best.restored(),
            Audience(listeners, heard, *files, group.leads) as audience,
        ):
            if not position.step:
                checkpoint.write(position)
            learn(step, resting)
            Course(
                step=step,
                compute=compute,
                players=players,
                training=training,
                validation=validation,
                settings=settings,
                position=position,
                clock=Clock(settings, len(training), group, position),
                meter=meter,
                average=average,
                best=best,
                checkpoint=checkpoint,
                audience=audience,
                group=group,
                precision=precision,
                device=device,
                folder=folder,
                interruption=interruption,
            ).run()
            if not position.finished:
                best.restore()
                fit_waiting(model, training, settings.seed, say)
                best.keep()
                position.finished = True
                checkpoint.write(position)
    return Trained(model, position, heard, position.notes)


def _as_judged(validation: Source, objective: Objective) -> Source:
    """Held-out data in an order that suits the objective."""
    # Rows are often stored by class, and a batch of one class is none that was trained on.
    return shuffled(validation, EVALUATION_SEED) if objective.of_batches else validation


def _silence(_: str) -> None:
    """Nobody wants to hear it."""


def laid_out(step: Step, settings: TrainingSettings) -> Step:
    """The step with its weights in the layout of the settings."""
    if settings.channels_last:
        # torch's annotations lack this overload.
        step.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return step


def compiled(step: nn.Module, settings: TrainingSettings, device: torch.device) -> nn.Module:
    """The step compiled where the settings ask for it; on a GPU it is captured as a CUDA graph."""
    if not settings.compile:
        return step
    mode = "reduce-overhead" if device.type == "cuda" else None
    return cast(nn.Module, torch.compile(step, mode=mode))


def _threads(
    step: Step,
    source: Source,
    settings: TrainingSettings,
    device: torch.device,
    precision: Precision,
) -> Choice:
    """The number of CPU threads: as set, or the fastest in a few measured steps."""
    if settings.threads != "auto":
        return Choice(settings.threads)
    if device.type != "cpu":
        return Choice(torch.get_num_threads())
    first = given(next(source.epoch(settings.batch_size, seed=settings.seed, epoch=0)))

    def take(trial: nn.Module) -> None:
        with precision():
            loss = trial(*first)
        loss.total.backward()

    size = sum(p.numel() for p in step.parameters())
    return choose_threads(step, take, (size, tuple(first[0].shape), settings.precision))
